-- Version 1 of the store.
--
-- Addresses in lease, excluded, network and free_range are 16-byte big-endian blobs, zero-padded on the
-- left for IPv4, so that they compare as numbers; the family is that of the network. Addresses that are
-- only shown again (attachment, alias, bridge) are text.

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE remembered (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE network (
    name   TEXT PRIMARY KEY,
    cidr   TEXT NOT NULL,
    first  BLOB NOT NULL CHECK (length(first) = 16),
    last   BLOB NOT NULL CHECK (length(last) = 16),
    parent TEXT REFERENCES network (name)
) STRICT, WITHOUT ROWID;

CREATE INDEX network_in_parent ON network (parent, first);

-- Addresses that are never handed out: gateway, dns.
CREATE TABLE excluded (
    network TEXT NOT NULL REFERENCES network (name),
    address BLOB NOT NULL CHECK (length(address) = 16),
    PRIMARY KEY (network, address)
) STRICT, WITHOUT ROWID;

-- pot is no foreign key: an address is reserved before the pot that gets it is written, and its removal
-- must give the address back to free_range, which a cascade would not do.
CREATE TABLE lease (
    network TEXT NOT NULL REFERENCES network (name),
    address BLOB NOT NULL CHECK (length(address) = 16),
    pot     TEXT NOT NULL,
    PRIMARY KEY (network, address)
) STRICT, WITHOUT ROWID;

CREATE INDEX lease_of_pot ON lease (pot);

-- What is free, as ranges that neither overlap nor touch. A pool is a network's name, or one of the
-- numberings below; no name begins with '#'.
CREATE TABLE free_range (
    pool  TEXT NOT NULL,
    first BLOB NOT NULL CHECK (length(first) = 16),
    last  BLOB NOT NULL CHECK (length(last) = 16),
    PRIMARY KEY (pool, first),
    CHECK (first <= last)
) STRICT, WITHOUT ROWID;

INSERT INTO free_range (pool, first, last) VALUES
    ('#epair',  x'00000000000000000000000000000000', x'0000000000000000000000007fffffff'),
    ('#bridge', x'00000000000000000000000000000000', x'0000000000000000000000007fffffff'),
    ('#pot',    x'00000000000000000000000000000001', x'0000000000000000000000007fffffff');

CREATE TABLE bridge (
    name    TEXT PRIMARY KEY,
    kind    TEXT NOT NULL,
    unit    INTEGER NOT NULL UNIQUE,
    network TEXT,
    gateway TEXT,
    size    INTEGER,
    pinned  INTEGER NOT NULL CHECK (pinned IN (0, 1))
) STRICT, WITHOUT ROWID;

-- command and hooks are JSON arrays.
CREATE TABLE pot (
    name          TEXT PRIMARY KEY,
    network_type  TEXT NOT NULL,
    stack         TEXT NOT NULL,
    root          TEXT NOT NULL UNIQUE,
    root_made     INTEGER NOT NULL CHECK (root_made IN (0, 1)),
    hostname      TEXT NOT NULL,
    base          TEXT,
    resolver      TEXT NOT NULL,
    resolver_text TEXT,
    command       TEXT NOT NULL,
    boot          INTEGER NOT NULL CHECK (boot IN (0, 1)),
    hooks         TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Few roots are given, and each made one is compared with them.
CREATE INDEX pot_given_root ON pot (root) WHERE NOT root_made;

CREATE TABLE attachment (
    pot      TEXT NOT NULL REFERENCES pot (name) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    bridge   TEXT NOT NULL,
    unit     INTEGER NOT NULL UNIQUE,
    mac      TEXT NOT NULL UNIQUE,
    address  TEXT,
    PRIMARY KEY (pot, position)
) STRICT, WITHOUT ROWID;

CREATE INDEX attachment_to_bridge ON attachment (bridge, pot);

CREATE TABLE alias (
    pot       TEXT NOT NULL REFERENCES pot (name) ON DELETE CASCADE,
    position  INTEGER NOT NULL,
    interface TEXT NOT NULL,
    address   TEXT NOT NULL,
    PRIMARY KEY (pot, position),
    UNIQUE (interface, address)
) STRICT, WITHOUT ROWID;

-- UNIQUE lets any number of exports wait for a host port (NULL).
CREATE TABLE export (
    pot       TEXT NOT NULL REFERENCES pot (name) ON DELETE CASCADE,
    position  INTEGER NOT NULL,
    protocol  TEXT NOT NULL,
    pot_port  INTEGER NOT NULL,
    host_port INTEGER,
    chosen    INTEGER NOT NULL CHECK (chosen IN (0, 1)),
    loopback  INTEGER NOT NULL CHECK (loopback IN (0, 1)),
    PRIMARY KEY (pot, position),
    UNIQUE (protocol, host_port)
) STRICT, WITHOUT ROWID;

-- record: the pot as it was started, in JSON. files: a JSON array.
CREATE TABLE run (
    pot    TEXT PRIMARY KEY REFERENCES pot (name) ON DELETE CASCADE,
    record TEXT NOT NULL,
    jid    INTEGER,
    files  TEXT NOT NULL,
    saved  TEXT NOT NULL,
    devfs  INTEGER NOT NULL,
    booted INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
