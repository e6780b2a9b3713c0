PRAGMA application_id = 1886352494;
PRAGMA user_version = 2;
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
    address  TEXT, address6 TEXT,
    PRIMARY KEY (pot, position)
) STRICT, WITHOUT ROWID;
INSERT INTO "attachment" VALUES('casserole',0,'public',0,'02:86:be:d6:97:a1','10.192.0.77',NULL);
INSERT INTO "attachment" VALUES('casserole',1,'public6',1,'02:74:10:bb:09:48',NULL,NULL);
INSERT INTO "attachment" VALUES('dns',0,'public',2,'02:94:ca:19:43:68','10.192.0.2',NULL);
INSERT INTO "attachment" VALUES('grill',0,'public',11,'02:10:11:29:5d:81','10.192.0.6',NULL);
INSERT INTO "attachment" VALUES('guest',0,'oven',10,'02:68:e7:96:65:c9','10.192.0.19',NULL);
INSERT INTO "attachment" VALUES('kettle',0,'stove',4,'02:26:03:67:7c:3b','10.192.0.10',NULL);
INSERT INTO "attachment" VALUES('pan',0,'stove',5,'02:b4:2e:7f:7d:1a','10.192.0.13',NULL);
INSERT INTO "attachment" VALUES('pot1',0,'public6',6,'02:4d:2c:9c:87:8b',NULL,NULL);
INSERT INTO "attachment" VALUES('roast',0,'oven',7,'02:00:00:00:00:10','10.192.0.18','fd91:7262:d6e3::2');
INSERT INTO "attachment" VALUES('roast',1,'public',8,'02:d1:d4:0e:98:2a','10.192.0.5',NULL);
INSERT INTO "attachment" VALUES('roast',2,'public6',9,'02:8e:c9:05:06:47',NULL,NULL);
INSERT INTO "attachment" VALUES('spoon',0,'public',3,'02:4d:df:11:ac:de','10.192.0.4',NULL);
CREATE TABLE bridge (
    name    TEXT PRIMARY KEY,
    kind    TEXT NOT NULL,
    unit    INTEGER NOT NULL UNIQUE,
    network TEXT,
    gateway TEXT,
    size    INTEGER,
    pinned  INTEGER NOT NULL CHECK (pinned IN (0, 1))
, network6 TEXT, routed6 INTEGER NOT NULL DEFAULT 0 CHECK (routed6 IN (0, 1)), mtu INTEGER, uplink TEXT, isolate INTEGER NOT NULL DEFAULT 0 CHECK (isolate IN (0, 1))) STRICT, WITHOUT ROWID;
INSERT INTO "bridge" VALUES('oven','private',3,'10.192.0.16/28','10.192.0.17',6,0,'fd91:7262:d6e3::/64',0,1400,NULL,1);
INSERT INTO "bridge" VALUES('public','public',0,'10.192.0.0/10','10.192.0.1',NULL,0,NULL,0,NULL,NULL,0);
INSERT INTO "bridge" VALUES('public6','public6',1,NULL,NULL,NULL,0,NULL,0,NULL,NULL,0);
INSERT INTO "bridge" VALUES('stove','private',2,'10.192.0.8/29','10.192.0.9',4,1,NULL,0,NULL,NULL,0);
CREATE TABLE excluded (
    network TEXT NOT NULL REFERENCES network (name),
    address BLOB NOT NULL CHECK (length(address) = 16),
    PRIMARY KEY (network, address)
) STRICT, WITHOUT ROWID;
INSERT INTO "excluded" VALUES('oven',X'0000000000000000000000000AC00011');
INSERT INTO "excluded" VALUES('oven IPv6',X'FD917262D6E300000000000000000001');
INSERT INTO "excluded" VALUES('public',X'0000000000000000000000000AC00001');
INSERT INTO "excluded" VALUES('public',X'0000000000000000000000000AC00002');
INSERT INTO "excluded" VALUES('stove',X'0000000000000000000000000AC00009');
CREATE TABLE "export" (
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
INSERT INTO "export" VALUES('casserole',0,'tcp',80,30080,0,0,1,NULL,'[]',NULL);
INSERT INTO "export" VALUES('casserole',1,'udp',53,1024,1,0,1,NULL,'[]',NULL);
INSERT INTO "export" VALUES('casserole',2,'tcp',443,1024,1,0,1,NULL,'[]',NULL);
INSERT INTO "export" VALUES('roast',0,'tcp+udp',90,30090,0,0,10,'192.168.178.20','["192.0.2.0/24"]',5);
CREATE TABLE free_range (
    pool  TEXT NOT NULL,
    first BLOB NOT NULL CHECK (length(first) = 16),
    last  BLOB NOT NULL CHECK (length(last) = 16),
    PRIMARY KEY (pool, first),
    CHECK (first <= last)
) STRICT, WITHOUT ROWID;
INSERT INTO "free_range" VALUES('#bridge',X'00000000000000000000000000000004',X'0000000000000000000000007FFFFFFF');
INSERT INTO "free_range" VALUES('#epair',X'0000000000000000000000000000000C',X'0000000000000000000000007FFFFFFF');
INSERT INTO "free_range" VALUES('#pot',X'00000000000000000000000000000003',X'0000000000000000000000007FFFFFFF');
INSERT INTO "free_range" VALUES('IPv6',X'00000000000000000000000000000001',X'FD917262D6E2FFFFFFFFFFFFFFFFFFFF');
INSERT INTO "free_range" VALUES('IPv6',X'FD917262D6E300010000000000000000',X'FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF');
INSERT INTO "free_range" VALUES('oven',X'0000000000000000000000000AC00014',X'0000000000000000000000000AC0001E');
INSERT INTO "free_range" VALUES('oven IPv6',X'FD917262D6E300000000000000000003',X'FD917262D6E30000FFFFFFFFFFFFFFFF');
INSERT INTO "free_range" VALUES('public',X'0000000000000000000000000AC00007',X'0000000000000000000000000AC00007');
INSERT INTO "free_range" VALUES('public',X'0000000000000000000000000AC00020',X'0000000000000000000000000AC0004C');
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
INSERT INTO "lease" VALUES('public',X'0000000000000000000000000AC00006','grill');
INSERT INTO "lease" VALUES('oven',X'0000000000000000000000000AC00013','guest');
INSERT INTO "lease" VALUES('stove',X'0000000000000000000000000AC0000A','kettle');
INSERT INTO "lease" VALUES('stove',X'0000000000000000000000000AC0000D','pan');
INSERT INTO "lease" VALUES('oven',X'0000000000000000000000000AC00012','roast');
INSERT INTO "lease" VALUES('oven IPv6',X'FD917262D6E300000000000000000002','roast');
INSERT INTO "lease" VALUES('public',X'0000000000000000000000000AC00005','roast');
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
INSERT INTO "network" VALUES('IPv6','::/0',X'00000000000000000000000000000000',X'FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF',NULL);
INSERT INTO "network" VALUES('oven','10.192.0.16/28',X'0000000000000000000000000AC00010',X'0000000000000000000000000AC0001F','public');
INSERT INTO "network" VALUES('oven IPv6','fd91:7262:d6e3::/64',X'FD917262D6E300000000000000000000',X'FD917262D6E30000FFFFFFFFFFFFFFFF','IPv6');
INSERT INTO "network" VALUES('public','10.192.0.0/10',X'0000000000000000000000000AC00000',X'0000000000000000000000000AFFFFFF',NULL);
INSERT INTO "network" VALUES('stove','10.192.0.8/29',X'0000000000000000000000000AC00008',X'0000000000000000000000000AC0000F','public');
CREATE TABLE passed (
    pot       TEXT NOT NULL REFERENCES pot (name) ON DELETE CASCADE,
    position  INTEGER NOT NULL,
    interface TEXT NOT NULL UNIQUE,
    PRIMARY KEY (pot, position)
) STRICT, WITHOUT ROWID;
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
INSERT INTO "policy" VALUES('roast',0,'stove',1,'tcp',80,80,1);
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
, whole INTEGER NOT NULL DEFAULT 1 CHECK (whole IN (0, 1)), isolate INTEGER NOT NULL DEFAULT 0 CHECK (isolate IN (0, 1)), internet INTEGER NOT NULL DEFAULT 1 CHECK (internet IN (0, 1)), rate_in INTEGER, rate_out INTEGER, owner TEXT) STRICT, WITHOUT ROWID;
INSERT INTO "pot" VALUES('casserole','public-bridge','dual','/opt/potnet/jails/casserole/m',1,'casserole','14.2','inherit',NULL,'[]',0,'[]',1,0,1,NULL,NULL,NULL);
INSERT INTO "pot" VALUES('dns','public-bridge','ipv4','/opt/potnet/jails/dns/m',1,'dns',NULL,'inherit',NULL,'[]',0,'[]',1,0,1,NULL,NULL,NULL);
INSERT INTO "pot" VALUES('fork','inherit','ipv6','/opt/potnet/jails/fork/m',1,'fork',NULL,'off',NULL,'[]',0,'[]',1,0,1,NULL,NULL,NULL);
INSERT INTO "pot" VALUES('grill','public-bridge','ipv4','/opt/potnet/jails/grill/m',1,'grill',NULL,'inherit',NULL,'[]',0,'[]',1,0,0,4000000,8000000,NULL);
INSERT INTO "pot" VALUES('guest','private-bridge','ipv4','/opt/potnet/jails/guest/m',1,'guest',NULL,'inherit',NULL,'[]',0,'[]',1,1,1,NULL,NULL,'alice');
INSERT INTO "pot" VALUES('kettle','private-bridge','ipv4','/opt/potnet/jails/kettle/m',1,'kettle',NULL,'custom','nameserver 192.0.2.53
# a "quoted" line; $(id)
','[]',0,'[]',1,0,1,NULL,NULL,NULL);
INSERT INTO "pot" VALUES('ladle','alias','dual','/opt/potnet/jails/ladle/m',1,'ladle',NULL,'inherit',NULL,'[]',0,'[]',1,0,1,NULL,NULL,NULL);
INSERT INTO "pot" VALUES('pan','private-bridge','ipv4','/opt/potnet/jails/pan/m',1,'pan',NULL,'inherit',NULL,'["sleep", "a b", "$x"]',0,'[]',1,0,1,NULL,NULL,NULL);
INSERT INTO "pot" VALUES('pot1','public-bridge','ipv6','/opt/potnet/jails/pot1/m',1,'pot1',NULL,'inherit',NULL,'[]',0,'[]',1,0,1,NULL,NULL,NULL);
INSERT INTO "pot" VALUES('pot2','inherit','ipv4','/srv/own',0,'pot2',NULL,'inherit',NULL,'[]',0,'["prestart", "poststop"]',1,0,1,NULL,NULL,NULL);
INSERT INTO "pot" VALUES('roast','private-bridge','dual','/opt/potnet/jails/roast/m',1,'roast',NULL,'inherit',NULL,'[]',0,'[]',1,0,1,NULL,NULL,NULL);
INSERT INTO "pot" VALUES('spoon','public-bridge','ipv4','/opt/potnet/jails/spoon/m',1,'spoon.example.org',NULL,'pot',NULL,'[]',1,'[]',1,0,1,NULL,NULL,NULL);
CREATE TABLE remembered (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "remembered" VALUES('anchors','pot-nat pot-rdr pot-filter');
INSERT INTO "remembered" VALUES('forwarding6','0');
INSERT INTO "remembered" VALUES('hosts oven','10.192.0.18 roast
10.192.0.19 guest
fd91:7262:d6e3::2 roast
');
INSERT INTO "remembered" VALUES('hosts public','10.192.0.2 dns
10.192.0.3 casserole
10.192.0.4 spoon
10.192.0.5 roast
10.192.0.6 grill
');
INSERT INTO "remembered" VALUES('hosts stove','10.192.0.10 kettle
10.192.0.13 pan
');
INSERT INTO "remembered" VALUES('site_prefix','fd91:7262:d6e3::/48');
CREATE TABLE run (
    pot    TEXT PRIMARY KEY REFERENCES pot (name) ON DELETE CASCADE,
    record TEXT NOT NULL,
    jid    INTEGER,
    files  TEXT NOT NULL,
    saved  TEXT NOT NULL,
    devfs  INTEGER NOT NULL,
    booted INTEGER NOT NULL
, stopping INTEGER NOT NULL DEFAULT 0 CHECK (stopping IN (0, 1)), attached INTEGER NOT NULL DEFAULT 0 CHECK (attached IN (0, 1)), lent TEXT NOT NULL DEFAULT '[]', leaving TEXT NOT NULL DEFAULT '[]', antispoof INTEGER DEFAULT 0 CHECK (antispoof IN (0, 1))) STRICT, WITHOUT ROWID;
INSERT INTO "run" VALUES('casserole','{"aliases": [], "antispoof": false, "attachments": [{"address": "10.192.0.3", "address6": null, "bridge": "public", "mac": "02:86:be:d6:97:a1", "tap": false, "unit": 0}, {"address": null, "address6": null, "bridge": "public6", "mac": "02:74:10:bb:09:48", "tap": false, "unit": 1}], "base": "14.2", "boot": false, "command": [], "exports": [{"chosen": false, "count": 1, "host_address": null, "host_port": 30080, "loopback": false, "max_connections": null, "pot_port": 80, "protocol": "tcp", "sources": []}, {"chosen": true, "count": 1, "host_address": null, "host_port": 1024, "loopback": false, "max_connections": null, "pot_port": 53, "protocol": "udp", "sources": []}, {"chosen": true, "count": 1, "host_address": null, "host_port": 1024, "loopback": false, "max_connections": null, "pot_port": 443, "protocol": "tcp", "sources": []}], "hooks": [], "hostname": "casserole", "internet": true, "isolate": false, "name": "casserole", "network_type": "public-bridge", "owner": null, "passed": [], "rate_in": null, "rate_out": null, "resolver": {"kind": "inherit", "text": null}, "root": "/opt/potnet/jails/casserole/m", "root_made": true, "stack": "dual", "whole": true}',1,'["resolv.conf", "hosts"]','["hosts"]',1,1,0,0,'[]','[]',0);
INSERT INTO "run" VALUES('dns','{"aliases": [], "antispoof": false, "attachments": [{"address": "10.192.0.2", "address6": null, "bridge": "public", "mac": "02:94:ca:19:43:68", "tap": false, "unit": 2}], "base": null, "boot": false, "command": [], "exports": [], "hooks": [], "hostname": "dns", "internet": true, "isolate": false, "name": "dns", "network_type": "public-bridge", "owner": null, "passed": [], "rate_in": null, "rate_out": null, "resolver": {"kind": "inherit", "text": null}, "root": "/opt/potnet/jails/dns/m", "root_made": true, "stack": "ipv4", "whole": true}',2,'["resolv.conf", "hosts"]','[]',0,0,0,0,'[]','[]',0);
INSERT INTO "run" VALUES('kettle','{"aliases": [], "antispoof": false, "attachments": [{"address": "10.192.0.10", "address6": null, "bridge": "stove", "mac": "02:26:03:67:7c:3b", "tap": false, "unit": 4}], "base": null, "boot": false, "command": [], "exports": [], "hooks": [], "hostname": "kettle", "internet": true, "isolate": false, "name": "kettle", "network_type": "private-bridge", "owner": null, "passed": [], "rate_in": null, "rate_out": null, "resolver": {"kind": "custom", "text": "nameserver 192.0.2.53\n# a \"quoted\" line; $(id)\n"}, "root": "/opt/potnet/jails/kettle/m", "root_made": true, "stack": "ipv4", "whole": true}',4,'["resolv.conf", "hosts"]','[]',0,0,0,0,'[]','[]',0);
INSERT INTO "run" VALUES('ladle','{"aliases": [{"address": "192.168.178.200", "interface": "em0"}, {"address": "2001:db8:7::80", "interface": "em0"}], "antispoof": false, "attachments": [], "base": null, "boot": false, "command": [], "exports": [], "hooks": [], "hostname": "ladle", "internet": true, "isolate": false, "name": "ladle", "network_type": "alias", "owner": null, "passed": [], "rate_in": null, "rate_out": null, "resolver": {"kind": "inherit", "text": null}, "root": "/opt/potnet/jails/ladle/m", "root_made": true, "stack": "dual", "whole": true}',5,'["resolv.conf", "hosts"]','[]',0,0,0,0,'[]','[]',NULL);
INSERT INTO "run" VALUES('pot1','{"aliases": [], "antispoof": false, "attachments": [{"address": null, "address6": null, "bridge": "public6", "mac": "02:4d:2c:9c:87:8b", "tap": false, "unit": 6}], "base": null, "boot": false, "command": [], "exports": [], "hooks": [], "hostname": "pot1", "internet": true, "isolate": false, "name": "pot1", "network_type": "public-bridge", "owner": null, "passed": [], "rate_in": null, "rate_out": null, "resolver": {"kind": "inherit", "text": null}, "root": "/opt/potnet/jails/pot1/m", "root_made": true, "stack": "ipv6", "whole": true}',6,'["resolv.conf", "hosts"]','[]',0,0,0,0,'[]','[]',0);
INSERT INTO "run" VALUES('roast','{"aliases": [], "antispoof": false, "attachments": [{"address": "10.192.0.18", "address6": "fd91:7262:d6e3::2", "bridge": "oven", "mac": "02:00:00:00:00:10", "tap": false, "unit": 7}, {"address": "10.192.0.5", "address6": null, "bridge": "public", "mac": "02:d1:d4:0e:98:2a", "tap": false, "unit": 8}, {"address": null, "address6": null, "bridge": "public6", "mac": "02:8e:c9:05:06:47", "tap": false, "unit": 9}], "base": null, "boot": false, "command": [], "exports": [{"chosen": false, "count": 10, "host_address": "192.168.178.20", "host_port": 30090, "loopback": false, "max_connections": 5, "pot_port": 90, "protocol": "tcp+udp", "sources": ["192.0.2.0/24"]}], "hooks": [], "hostname": "roast", "internet": true, "isolate": false, "name": "roast", "network_type": "private-bridge", "owner": null, "passed": [], "rate_in": null, "rate_out": null, "resolver": {"kind": "inherit", "text": null}, "root": "/opt/potnet/jails/roast/m", "root_made": true, "stack": "dual", "whole": true}',7,'["resolv.conf", "hosts"]','[]',0,0,0,0,'[]','[]',0);
INSERT INTO "run" VALUES('spoon','{"aliases": [], "antispoof": false, "attachments": [{"address": "10.192.0.4", "address6": null, "bridge": "public", "mac": "02:4d:df:11:ac:de", "tap": false, "unit": 3}], "base": null, "boot": true, "command": [], "exports": [], "hooks": [], "hostname": "spoon.example.org", "internet": true, "isolate": false, "name": "spoon", "network_type": "public-bridge", "owner": null, "passed": [], "rate_in": null, "rate_out": null, "resolver": {"kind": "pot", "text": null}, "root": "/opt/potnet/jails/spoon/m", "root_made": true, "stack": "ipv4", "whole": true}',3,'["resolv.conf", "hosts"]','[]',0,0,0,0,'[]','[]',0);
CREATE INDEX network_in_parent ON network (parent, first);
CREATE INDEX lease_of_pot ON lease (pot);
CREATE INDEX pot_given_root ON pot (root) WHERE NOT root_made;
CREATE INDEX attachment_to_bridge ON attachment (bridge, pot);
CREATE INDEX pot_in_pieces ON pot (name) WHERE NOT whole;
CREATE UNIQUE INDEX bridge_uplink ON bridge (uplink);
CREATE INDEX policy_towards ON policy (destination, destination_bridge);
CREATE INDEX export_port ON export (protocol, host_port);
CREATE INDEX export_range ON export (protocol, host_port) WHERE count > 1;
CREATE INDEX run_guarded ON run (pot) WHERE antispoof;
CREATE INDEX run_unguarded ON run (pot) WHERE NOT antispoof;
COMMIT;
