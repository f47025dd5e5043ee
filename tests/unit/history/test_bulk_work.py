from __future__ import annotations

from sdstudio.history.bulk_work import saving_lock


def test_the_saving_lock_is_shared_by_savers_and_keeps_tidying_out(tmp_path):
    file = tmp_path / "saving.lock"
    with saving_lock(file, alone=False) as one, saving_lock(file, alone=False) as two:
        assert (one, two) == (True, True)
        with saving_lock(file, alone=True, patience_s=0.05) as tidying:
            assert not tidying
    with saving_lock(file, alone=True, patience_s=0.05) as tidying:
        assert tidying
        with saving_lock(file, alone=False, patience_s=0.05) as saver:
            assert not saver


def test_a_folder_that_is_gone_locks_nothing_and_stops_nothing(tmp_path):
    with saving_lock(tmp_path / "gone" / "saving.lock", alone=True) as held:
        assert held
