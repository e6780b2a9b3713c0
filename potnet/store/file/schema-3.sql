-- Version 3.

-- The directory that potnet has made for a pot: its root, its hooks. Null: none.
ALTER TABLE pot ADD COLUMN directory TEXT;
UPDATE pot SET directory = substr(root, 1, length(root) - 2) WHERE root_made AND owner IS NULL AND root GLOB '*/m';
CREATE INDEX pot_directory ON pot (directory);
CREATE INDEX pot_unrecorded_hooks ON pot (name) WHERE directory IS NULL AND hooks <> '[]';
-- A bridge of the host's own that pots join in the place of one of ours.
ALTER TABLE bridge ADD COLUMN joined TEXT;
-- All of IPv6 has a name that no bridge can have: one called IPv6 took its place.
INSERT INTO network (name, cidr, first, last, parent)
    SELECT '#IPv6', cidr, first, last, parent FROM network WHERE name = 'IPv6' AND cidr = '::/0';
UPDATE network SET parent = '#IPv6'
    WHERE parent = 'IPv6' AND EXISTS (SELECT 1 FROM network WHERE name = '#IPv6');
UPDATE free_range SET pool = '#IPv6'
    WHERE pool = 'IPv6' AND EXISTS (SELECT 1 FROM network WHERE name = '#IPv6');
DELETE FROM network WHERE name = 'IPv6' AND cidr = '::/0';
-- Names are compared without case.
CREATE INDEX pot_any_case ON pot (name COLLATE NOCASE);
CREATE INDEX bridge_any_case ON bridge (name COLLATE NOCASE);
-- Whether the user chose the MAC address; potnet's own begin with 02.
ALTER TABLE attachment ADD COLUMN mac_given INTEGER NOT NULL DEFAULT 0;
UPDATE attachment SET mac_given = 1 WHERE mac NOT LIKE '02:%';
-- The starts of alias pots.
CREATE INDEX run_with_aliases ON run (pot) WHERE instr(record, '"aliases": []') = 0;
-- What a start has in force, as `export` has what the pot is to have: one change is one row. A start of an
-- older version has all of it in its record.
CREATE TABLE run_export (
    pot             TEXT NOT NULL REFERENCES pot (name) ON DELETE CASCADE,
    position        INTEGER NOT NULL,
    protocol        TEXT NOT NULL,
    pot_port        INTEGER NOT NULL,
    host_port       INTEGER,
    chosen          INTEGER NOT NULL CHECK (chosen IN (0, 1)),
    loopback        INTEGER NOT NULL CHECK (loopback IN (0, 1)),
    count           INTEGER NOT NULL CHECK (count > 0),
    host_address    TEXT,
    sources         TEXT NOT NULL,
    max_connections INTEGER,
    PRIMARY KEY (pot, position)
) STRICT, WITHOUT ROWID;
-- Exports that answered at further addresses of the host are to be named once.
INSERT INTO remembered (key, value)
    SELECT 'exports-narrowed', '' WHERE EXISTS (SELECT 1 FROM export WHERE host_address IS NULL);
-- A change of the exports in force has begun: only some of them may be in force.
ALTER TABLE run ADD COLUMN changing INTEGER NOT NULL DEFAULT 0 CHECK (changing IN (0, 1));
UPDATE run SET changing = 1 WHERE leaving <> '[]';
-- The dataset of zfs(8) that potnet has made for the root of a pot. Null: none.
ALTER TABLE pot ADD COLUMN dataset TEXT;
-- The LAN that a bridge joins, a JSON object. Null: it joins none.
ALTER TABLE bridge ADD COLUMN lan TEXT;
-- Whether the bridge of an attachment is part of a LAN, and whether it learns IPv6 addresses beside its own.
ALTER TABLE attachment ADD COLUMN lan INTEGER NOT NULL DEFAULT 0 CHECK (lan IN (0, 1));
ALTER TABLE attachment ADD COLUMN learns6 INTEGER NOT NULL DEFAULT 0 CHECK (learns6 IN (0, 1));
-- The pots that start before a pot, in the order in which they were given.
CREATE TABLE need (
    pot      TEXT NOT NULL REFERENCES pot (name) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    needed   TEXT NOT NULL REFERENCES pot (name) ON DELETE CASCADE,
    PRIMARY KEY (pot, position),
    UNIQUE (pot, needed)
) STRICT, WITHOUT ROWID;
CREATE INDEX need_of ON need (needed);
-- Of pots that start together, those with a lower number are the first.
ALTER TABLE pot ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;
-- The parameters of jail(8) that the user set for a pot: a JSON array.
ALTER TABLE pot ADD COLUMN parameters TEXT NOT NULL DEFAULT '[]';
-- A change of one export finds it, and the others that concern it, among thousands.
CREATE INDEX export_of_port ON export (pot, pot_port, host_port);
CREATE INDEX run_export_of_port ON run_export (pot, pot_port, host_port);
CREATE INDEX export_length ON export (protocol, count) WHERE count > 1;
-- Whether an attachment gets its IPv4 address by DHCP.
ALTER TABLE attachment ADD COLUMN dhcp INTEGER NOT NULL DEFAULT 0 CHECK (dhcp IN (0, 1));
