-- Version 3.

-- The directory that potnet has made for a pot: its root, its hooks. Null: none.
ALTER TABLE pot ADD COLUMN directory TEXT;
UPDATE pot SET directory = substr(root, 1, length(root) - 2) WHERE root_made AND owner IS NULL AND root GLOB '*/m';
CREATE INDEX pot_directory ON pot (directory);
CREATE INDEX pot_unrecorded_hooks ON pot (name) WHERE directory IS NULL AND hooks <> '[]';
-- A bridge of the host's own that pots join in the place of one of ours.
ALTER TABLE bridge ADD COLUMN joined TEXT;
