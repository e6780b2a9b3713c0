-- Version 2: networks of IPv6 on bridges, with addresses from the store; what was cut off is told from what is
-- done.

ALTER TABLE bridge ADD COLUMN network6 TEXT;
ALTER TABLE bridge ADD COLUMN routed6 INTEGER NOT NULL DEFAULT 0 CHECK (routed6 IN (0, 1));
ALTER TABLE attachment ADD COLUMN address6 TEXT;
ALTER TABLE pot ADD COLUMN whole INTEGER NOT NULL DEFAULT 1 CHECK (whole IN (0, 1));
CREATE INDEX pot_in_pieces ON pot (name) WHERE NOT whole;
ALTER TABLE run ADD COLUMN stopping INTEGER NOT NULL DEFAULT 0 CHECK (stopping IN (0, 1));
ALTER TABLE run ADD COLUMN attached INTEGER NOT NULL DEFAULT 0 CHECK (attached IN (0, 1));

-- The MTU of a bridge, the VLAN that it is part of, and interfaces of the host that pots have while they run.
-- lent: a JSON array.
ALTER TABLE bridge ADD COLUMN mtu INTEGER;
ALTER TABLE bridge ADD COLUMN uplink TEXT;
CREATE UNIQUE INDEX bridge_uplink ON bridge (uplink);
CREATE TABLE passed (
    pot       TEXT NOT NULL REFERENCES pot (name) ON DELETE CASCADE,
    position  INTEGER NOT NULL,
    interface TEXT NOT NULL UNIQUE,
    PRIMARY KEY (pot, position)
) STRICT, WITHOUT ROWID;
ALTER TABLE run ADD COLUMN lent TEXT NOT NULL DEFAULT '[]';
-- Who may talk to whom, and how much. Rates are in bits a second.
ALTER TABLE bridge ADD COLUMN isolate INTEGER NOT NULL DEFAULT 0 CHECK (isolate IN (0, 1));
ALTER TABLE pot ADD COLUMN isolate INTEGER NOT NULL DEFAULT 0 CHECK (isolate IN (0, 1));
ALTER TABLE pot ADD COLUMN internet INTEGER NOT NULL DEFAULT 1 CHECK (internet IN (0, 1));
ALTER TABLE pot ADD COLUMN rate_in INTEGER;
ALTER TABLE pot ADD COLUMN rate_out INTEGER;

-- Each side is a pot or, where its column says so, a bridge. protocol: empty for any; first_port: 0 for all.
-- The key comes first: the integrity check of SQLite up to 3.40 takes a column before the end of it for NULL.
CREATE TABLE policy (
    source             TEXT NOT NULL,
    source_bridge      INTEGER NOT NULL CHECK (source_bridge IN (0, 1)),
    destination        TEXT NOT NULL,
    destination_bridge INTEGER NOT NULL CHECK (destination_bridge IN (0, 1)),
    protocol           TEXT NOT NULL,
    first_port         INTEGER NOT NULL,
    last_port          INTEGER NOT NULL,
    allow              INTEGER NOT NULL CHECK (allow IN (0, 1)),
    PRIMARY KEY (source, source_bridge, destination, destination_bridge, protocol, first_port, last_port)
) STRICT, WITHOUT ROWID;

CREATE INDEX policy_towards ON policy (destination, destination_bridge);

-- Exports: several ports, on one address of the host, for some sources. Which ports are taken is looked up for
-- each export that is written: one port may be exported on each address of the host by another pot.
-- sources: a JSON array. protocol: tcp, udp or tcp+udp.
CREATE TABLE exported (
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
INSERT INTO exported
    SELECT pot, position, protocol, pot_port, host_port, chosen, loopback, 1, NULL, '[]', NULL FROM export;
DROP TABLE export;
ALTER TABLE exported RENAME TO export;
ALTER TABLE run ADD COLUMN leaving TEXT NOT NULL DEFAULT '[]';
CREATE INDEX export_port ON export (protocol, host_port);
CREATE INDEX export_range ON export (protocol, host_port) WHERE count > 1;

-- Whether a pot that runs is kept to its own addresses; of one that is on no bridge it is null.
ALTER TABLE run ADD COLUMN antispoof INTEGER DEFAULT 0 CHECK (antispoof IN (0, 1));
CREATE INDEX run_guarded ON run (pot) WHERE antispoof;
CREATE INDEX run_unguarded ON run (pot) WHERE NOT antispoof;

-- The user who may open the taps of a machine, which has no jail. Their numbers are those of epairs, of which a
-- machine has none.
ALTER TABLE pot ADD COLUMN owner TEXT;
