-- Version 5: where pictures were imported from.
PRAGMA foreign_keys = OFF;
CREATE TABLE jobs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    state TEXT NOT NULL,
    request TEXT NOT NULL CHECK (json_valid(request)),
    seeds TEXT NOT NULL CHECK (json_valid(seeds)),
    batch_size INTEGER NOT NULL,
    message TEXT NOT NULL DEFAULT '',
    hint TEXT NOT NULL DEFAULT '',
    created TEXT NOT NULL,
    parent_id INTEGER REFERENCES entries (id) ON DELETE SET NULL,
    group_id INTEGER,
    place INTEGER,
    step INTEGER,
    step_count INTEGER,
    duration_s REAL NOT NULL DEFAULT 0,
    cleared INTEGER NOT NULL DEFAULT 0 CHECK (cleared IN (0, 1))
);
CREATE INDEX jobs_state ON jobs (state);
CREATE INDEX jobs_group ON jobs (group_id);
CREATE INDEX jobs_listed ON jobs (state) WHERE cleared = 0;
CREATE TABLE entries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    state TEXT NOT NULL CHECK (state IN ('pending', 'done')),
    path TEXT NOT NULL,
    created TEXT NOT NULL,
    recipe TEXT NOT NULL CHECK (json_valid(recipe)),
    job_id INTEGER REFERENCES jobs (id) ON DELETE SET NULL,
    parent_id INTEGER REFERENCES entries (id) ON DELETE SET NULL,
    deleted_at TEXT,
    trashed_to TEXT,
    rating INTEGER NOT NULL DEFAULT 0 CHECK (rating BETWEEN 0 AND 5),
    favourite INTEGER NOT NULL DEFAULT 0 CHECK (favourite IN (0, 1)),
    model_title TEXT GENERATED ALWAYS AS (
        coalesce(nullif(json_extract(recipe, '$.model_name'), ''), json_extract(recipe, '$.request.model'))
    ) VIRTUAL,
    folder TEXT
);
CREATE INDEX entries_visible ON entries (id) WHERE state = 'done' AND deleted_at IS NULL;
CREATE INDEX entries_job ON entries (job_id);
CREATE INDEX entries_parent ON entries (parent_id);
CREATE INDEX entries_path ON entries (path);
CREATE INDEX entries_hidden ON entries (id) WHERE state <> 'done' OR deleted_at IS NOT NULL;
CREATE TABLE entry_tags (
    tag TEXT NOT NULL COLLATE NOCASE,
    entry_id INTEGER NOT NULL REFERENCES entries (id) ON DELETE CASCADE,
    PRIMARY KEY (tag, entry_id)
) WITHOUT ROWID;
CREATE INDEX entry_tags_entry ON entry_tags (entry_id);
CREATE TABLE collections (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE COLLATE NOCASE);
CREATE TABLE collection_entries (
    collection_id INTEGER NOT NULL REFERENCES collections (id) ON DELETE CASCADE,
    entry_id INTEGER NOT NULL REFERENCES entries (id) ON DELETE CASCADE,
    PRIMARY KEY (collection_id, entry_id)
) WITHOUT ROWID;
CREATE INDEX collection_entries_entry ON collection_entries (entry_id);
CREATE VIRTUAL TABLE entries_text USING fts5 (prompt, negative_prompt, model_name, tokenize = 'trigram');
CREATE VIRTUAL TABLE entries_terms USING fts5vocab (entries_text, row);
INSERT INTO jobs (id, state, request, seeds, batch_size, message, hint, created, parent_id, group_id, place, duration_s, cleared) VALUES (1, 'done', '{"model":"starter","prompt":"red heart","negative_prompt":"","width":128,"height":128,"steps":20,"guidance_scale":7.0,"scheduler":"dpmpp_2m_karras","seed":18446744073709551615,"clip_skip":1}', '["18446744073709551615"]', 1, '', '', '2026-11-23T05:00:00+00:00', NULL, 1, NULL, 4.5, 1);
INSERT INTO jobs (id, state, request, seeds, batch_size, message, hint, created, parent_id, group_id, place, duration_s, cleared) VALUES (2, 'queued', '{"model":"starter","prompt":"frog","negative_prompt":"","width":128,"height":128,"steps":20,"guidance_scale":7.0,"scheduler":"dpmpp_2m_karras","seed":7,"clip_skip":1}', '["7"]', 1, '', '', '2026-11-23T05:01:00+00:00', NULL, 2, 7, 0, 0);
INSERT INTO entries (id, state, path, created, recipe, job_id, parent_id, deleted_at, trashed_to) VALUES (1, 'done', 'images/2026-11-23/000001-x.png', '2026-11-23T05:00:05+00:00', '{"format":1,"app":"sdstudio 0.1.0","request":{"model":"starter","prompt":"red heart","negative_prompt":"","width":128,"height":128,"steps":20,"guidance_scale":7.0,"scheduler":"dpmpp_2m_karras","seed":18446744073709551615,"clip_skip":1},"model_name":"Starter","model_family":"sd1","model_hash":"6ce0161689","created":"","duration_s":0.0,"blocked":"","made_with":{}}', 1, NULL, NULL, NULL);
INSERT INTO entries (id, state, path, created, recipe, job_id, parent_id, deleted_at, trashed_to) VALUES (2, 'done', 'images/2026-11-23/000002-x.png', '2026-11-23T05:02:00+00:00', '{"format":1,"app":"sdstudio 0.1.0","request":{"model":"starter","prompt":"frog on a blue background","negative_prompt":"","width":128,"height":128,"steps":20,"guidance_scale":7.0,"scheduler":"dpmpp_2m_karras","seed":7,"clip_skip":1},"model_name":"Starter","model_family":"sd1","model_hash":"6ce0161689","created":"","duration_s":0.0,"blocked":"","made_with":{}}', NULL, 1, NULL, NULL);
INSERT INTO entries_text (rowid, prompt, negative_prompt, model_name) VALUES (1, 'red heart' || char(10, 10), char(10, 10), 'starter' || char(10, 10));
INSERT INTO entries_text (rowid, prompt, negative_prompt, model_name) VALUES (2, 'frog on a blue background' || char(10, 10), 'café, strasse, izmir' || char(10, 10), 'starter' || char(10, 10));
UPDATE entries SET rating = 4, favourite = 1 WHERE id = 1;
INSERT INTO entry_tags (tag, entry_id) VALUES ('hearts', 1);
INSERT INTO entry_tags (tag, entry_id) VALUES ('café', 1);
INSERT INTO entry_tags (tag, entry_id) VALUES ('café', 2);
INSERT INTO collections (id, name) VALUES (1, 'Best of');
INSERT INTO collection_entries (collection_id, entry_id) VALUES (1, 2);
UPDATE entries SET folder = '/pictures/hearts' WHERE id = 1;
PRAGMA user_version = 5;
