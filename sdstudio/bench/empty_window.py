"""The reference for the studio's start: a process that opens an empty Qt window and does nothing else."""

from PySide6.QtWidgets import QApplication, QMainWindow

from sdstudio.bench.shown import tell_when_shown

if __name__ == "__main__":
    application = QApplication([])
    window = QMainWindow()
    window.resize(1200, 800)
    tell_when_shown(application, window)
