PRAGMA application_id = 1886352494;
PRAGMA user_version = 1;
BEGIN TRANSACTION;
CREATE TABLE alias (
    pot       TEXT NOT NULL REFERENCES pot (name) ON DELETE CASCADE,
    position  INTEGER NOT NULL,
    interface TEXT NOT NULL,
    address   TEXT NOT NULL,
    PRIMARY KEY (pot, position),
    UNIQUE (interface, address)
) STRICT, WITHOUT ROWID;
INSERT INTO "alias" VALUES('ladle',0,'em0','192.168.178.200');
INSERT INTO "alias" VALUES('ladle',1,'em0','2001:db8:7::80');
CREATE TABLE attachment (
    pot      TEXT NOT NULL REFERENCES pot (name) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    bridge   TEXT NOT NULL,
    unit     INTEGER NOT NULL UNIQUE,
    mac      TEXT NOT NULL UNIQUE,
    address  TEXT,
    PRIMARY KEY (pot, position)
) STRICT, WITHOUT ROWID;
INSERT INTO "attachment" VALUES('casserole',0,'public',0,'02:2a:78:d9:26:63','10.192.0.77');
INSERT INTO "attachment" VALUES('casserole',1,'public6',1,'02:31:f8:2e:45:9c',NULL);
INSERT INTO "attachment" VALUES('dns',0,'public',2,'02:c8:52:ae:7b:f6','10.192.0.2');
INSERT INTO "attachment" VALUES('kettle',0,'stove',4,'02:60:60:97:f5:97','10.192.0.10');
INSERT INTO "attachment" VALUES('pan',0,'stove',5,'02:51:f8:0f:10:f4','10.192.0.13');
INSERT INTO "attachment" VALUES('pot1',0,'public6',6,'02:8f:a1:fa:80:76',NULL);
INSERT INTO "attachment" VALUES('spoon',0,'public',3,'02:b4:da:69:f7:af','10.192.0.4');
CREATE TABLE bridge (
    name    TEXT PRIMARY KEY,
    kind    TEXT NOT NULL,
    unit    INTEGER NOT NULL UNIQUE,
    network TEXT,
    gateway TEXT,
    size    INTEGER,
    pinned  INTEGER NOT NULL CHECK (pinned IN (0, 1))
) STRICT, WITHOUT ROWID;
INSERT INTO "bridge" VALUES('public','public',0,'10.192.0.0/10','10.192.0.1',NULL,0);
INSERT INTO "bridge" VALUES('public6','public6',1,NULL,NULL,NULL,0);
INSERT INTO "bridge" VALUES('stove','private',2,'10.192.0.8/29','10.192.0.9',4,1);
CREATE TABLE excluded (
    network TEXT NOT NULL REFERENCES network (name),
    address BLOB NOT NULL CHECK (length(address) = 16),
    PRIMARY KEY (network, address)
) STRICT, WITHOUT ROWID;
INSERT INTO "excluded" VALUES('public',X'0000000000000000000000000AC00001');
INSERT INTO "excluded" VALUES('public',X'0000000000000000000000000AC00002');
INSERT INTO "excluded" VALUES('stove',X'0000000000000000000000000AC00009');
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
INSERT INTO "export" VALUES('casserole',0,'tcp',80,30080,0,0);
INSERT INTO "export" VALUES('casserole',1,'udp',53,1024,1,0);
INSERT INTO "export" VALUES('casserole',2,'tcp',443,1024,1,0);
CREATE TABLE free_range (
    pool  TEXT NOT NULL,
    first BLOB NOT NULL CHECK (length(first) = 16),
    last  BLOB NOT NULL CHECK (length(last) = 16),
    PRIMARY KEY (pool, first),
    CHECK (first <= last)
) STRICT, WITHOUT ROWID;
INSERT INTO "free_range" VALUES('#bridge',X'00000000000000000000000000000003',X'0000000000000000000000007FFFFFFF');
INSERT INTO "free_range" VALUES('#epair',X'00000000000000000000000000000007',X'0000000000000000000000007FFFFFFF');
INSERT INTO "free_range" VALUES('#pot',X'00000000000000000000000000000003',X'0000000000000000000000007FFFFFFF');
INSERT INTO "free_range" VALUES('public',X'0000000000000000000000000AC00005',X'0000000000000000000000000AC00007');
INSERT INTO "free_range" VALUES('public',X'0000000000000000000000000AC00010',X'0000000000000000000000000AC0004C');
INSERT INTO "free_range" VALUES('public',X'0000000000000000000000000AC0004E',X'0000000000000000000000000AFFFFFE');
INSERT INTO "free_range" VALUES('stove',X'0000000000000000000000000AC0000B',X'0000000000000000000000000AC0000C');
INSERT INTO "free_range" VALUES('stove',X'0000000000000000000000000AC0000E',X'0000000000000000000000000AC0000E');
CREATE TABLE lease (
    network TEXT NOT NULL REFERENCES network (name),
    address BLOB NOT NULL CHECK (length(address) = 16),
    pot     TEXT NOT NULL,
    PRIMARY KEY (network, address)
) STRICT, WITHOUT ROWID;
INSERT INTO "lease" VALUES('public',X'0000000000000000000000000AC00003','casserole');
INSERT INTO "lease" VALUES('public',X'0000000000000000000000000AC0004D','casserole');
INSERT INTO "lease" VALUES('public',X'0000000000000000000000000AC00002','dns');
INSERT INTO "lease" VALUES('stove',X'0000000000000000000000000AC0000A','kettle');
INSERT INTO "lease" VALUES('stove',X'0000000000000000000000000AC0000D','pan');
INSERT INTO "lease" VALUES('public',X'0000000000000000000000000AC00004','spoon');
CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "meta" VALUES('host_kind','sim');
CREATE TABLE network (
    name   TEXT PRIMARY KEY,
    cidr   TEXT NOT NULL,
    first  BLOB NOT NULL CHECK (length(first) = 16),
    last   BLOB NOT NULL CHECK (length(last) = 16),
    parent TEXT REFERENCES network (name)
) STRICT, WITHOUT ROWID;
INSERT INTO "network" VALUES('public','10.192.0.0/10',X'0000000000000000000000000AC00000',X'0000000000000000000000000AFFFFFF',NULL);
INSERT INTO "network" VALUES('stove','10.192.0.8/29',X'0000000000000000000000000AC00008',X'0000000000000000000000000AC0000F','public');
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
INSERT INTO "pot" VALUES('casserole','public-bridge','dual','/opt/potnet/jails/casserole/m',1,'casserole','14.2','inherit',NULL,'[]',0,'[]');
INSERT INTO "pot" VALUES('dns','public-bridge','ipv4','/opt/potnet/jails/dns/m',1,'dns',NULL,'inherit',NULL,'[]',0,'[]');
INSERT INTO "pot" VALUES('fork','inherit','ipv6','/opt/potnet/jails/fork/m',1,'fork',NULL,'off',NULL,'[]',0,'[]');
INSERT INTO "pot" VALUES('kettle','private-bridge','ipv4','/opt/potnet/jails/kettle/m',1,'kettle',NULL,'custom','nameserver 192.0.2.53
# a "quoted" line; $(id)
','[]',0,'[]');
INSERT INTO "pot" VALUES('ladle','alias','dual','/opt/potnet/jails/ladle/m',1,'ladle',NULL,'inherit',NULL,'[]',0,'[]');
INSERT INTO "pot" VALUES('pan','private-bridge','ipv4','/opt/potnet/jails/pan/m',1,'pan',NULL,'inherit',NULL,'["sleep", "a b", "$x"]',0,'[]');
INSERT INTO "pot" VALUES('pot1','public-bridge','ipv6','/opt/potnet/jails/pot1/m',1,'pot1',NULL,'inherit',NULL,'[]',0,'[]');
INSERT INTO "pot" VALUES('pot2','inherit','ipv4','/srv/own',0,'pot2',NULL,'inherit',NULL,'[]',0,'["prestart", "poststop"]');
INSERT INTO "pot" VALUES('spoon','public-bridge','ipv4','/opt/potnet/jails/spoon/m',1,'spoon.example.org',NULL,'pot',NULL,'[]',1,'[]');
CREATE TABLE remembered (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "remembered" VALUES('anchors','pot-nat pot-rdr pot-filter');
CREATE TABLE run (
    pot    TEXT PRIMARY KEY REFERENCES pot (name) ON DELETE CASCADE,
    record TEXT NOT NULL,
    jid    INTEGER,
    files  TEXT NOT NULL,
    saved  TEXT NOT NULL,
    devfs  INTEGER NOT NULL,
    booted INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "run" VALUES('casserole','{"aliases": [], "attachments": [{"address": "10.192.0.3", "bridge": "public", "mac": "02:2a:78:d9:26:63", "unit": 0}, {"address": null, "bridge": "public6", "mac": "02:31:f8:2e:45:9c", "unit": 1}], "base": "14.2", "boot": false, "command": [], "exports": [{"chosen": false, "host_port": 30080, "loopback": false, "pot_port": 80, "protocol": "tcp"}, {"chosen": true, "host_port": 1024, "loopback": false, "pot_port": 53, "protocol": "udp"}, {"chosen": true, "host_port": 1024, "loopback": false, "pot_port": 443, "protocol": "tcp"}], "hooks": [], "hostname": "casserole", "name": "casserole", "network_type": "public-bridge", "resolver": {"kind": "inherit", "text": null}, "root": "/opt/potnet/jails/casserole/m", "root_made": true, "stack": "dual"}',1,'["resolv.conf", "hosts"]','["hosts"]',1,1);
INSERT INTO "run" VALUES('dns','{"aliases": [], "attachments": [{"address": "10.192.0.2", "bridge": "public", "mac": "02:c8:52:ae:7b:f6", "unit": 2}], "base": null, "boot": false, "command": [], "exports": [], "hooks": [], "hostname": "dns", "name": "dns", "network_type": "public-bridge", "resolver": {"kind": "inherit", "text": null}, "root": "/opt/potnet/jails/dns/m", "root_made": true, "stack": "ipv4"}',2,'["resolv.conf", "hosts"]','[]',0,0);
INSERT INTO "run" VALUES('kettle','{"aliases": [], "attachments": [{"address": "10.192.0.10", "bridge": "stove", "mac": "02:60:60:97:f5:97", "unit": 4}], "base": null, "boot": false, "command": [], "exports": [], "hooks": [], "hostname": "kettle", "name": "kettle", "network_type": "private-bridge", "resolver": {"kind": "custom", "text": "nameserver 192.0.2.53\n# a \"quoted\" line; $(id)\n"}, "root": "/opt/potnet/jails/kettle/m", "root_made": true, "stack": "ipv4"}',4,'["resolv.conf", "hosts"]','[]',0,0);
INSERT INTO "run" VALUES('ladle','{"aliases": [{"address": "192.168.178.200", "interface": "em0"}, {"address": "2001:db8:7::80", "interface": "em0"}], "attachments": [], "base": null, "boot": false, "command": [], "exports": [], "hooks": [], "hostname": "ladle", "name": "ladle", "network_type": "alias", "resolver": {"kind": "inherit", "text": null}, "root": "/opt/potnet/jails/ladle/m", "root_made": true, "stack": "dual"}',5,'["resolv.conf", "hosts"]','[]',0,0);
INSERT INTO "run" VALUES('pot1','{"aliases": [], "attachments": [{"address": null, "bridge": "public6", "mac": "02:8f:a1:fa:80:76", "unit": 6}], "base": null, "boot": false, "command": [], "exports": [], "hooks": [], "hostname": "pot1", "name": "pot1", "network_type": "public-bridge", "resolver": {"kind": "inherit", "text": null}, "root": "/opt/potnet/jails/pot1/m", "root_made": true, "stack": "ipv6"}',6,'["resolv.conf", "hosts"]','[]',0,0);
INSERT INTO "run" VALUES('spoon','{"aliases": [], "attachments": [{"address": "10.192.0.4", "bridge": "public", "mac": "02:b4:da:69:f7:af", "unit": 3}], "base": null, "boot": true, "command": [], "exports": [], "hooks": [], "hostname": "spoon.example.org", "name": "spoon", "network_type": "public-bridge", "resolver": {"kind": "pot", "text": null}, "root": "/opt/potnet/jails/spoon/m", "root_made": true, "stack": "ipv4"}',3,'["resolv.conf", "hosts"]','[]',0,0);
CREATE INDEX network_in_parent ON network (parent, first);
CREATE INDEX lease_of_pot ON lease (pot);
CREATE INDEX pot_given_root ON pot (root) WHERE NOT root_made;
CREATE INDEX attachment_to_bridge ON attachment (bridge, pot);
COMMIT;
