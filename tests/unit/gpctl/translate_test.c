/* translate_test.c - each key of the Go suite: what it becomes, and what is said about it. */
#include "translate.h"

#include "test.h"

static void on_note(void *ctx, const char *text)
{
    gp_buf_printf(ctx, "%s\n", text);
}

static const struct row {
    const char *what, *old, *now, *notes; /* now: "! message" is an error */
} rows[] = {
    {"keys that stay",
     "db: {path: /srv/x, encoder_type: zstd, permissions: 0640}\nsyslog_flows: true\n",
     "# /etc/fleetprobe/goprobe.yaml\ndb:\n  path: /srv/x\n  encoder_type: zstd\n  permissions: "
     "0640\n"
     "syslog_flows: true\n",
     ""},
    {"interfaces",
     "interfaces:\n  eth0.100: {promisc: true, ring_buffer: {block_size: 1, num_blocks: 2}}\n"
     "  '/^wg\\d/':\n    disable: true\n    colour: red\n",
     "# /etc/fleetprobe/goprobe.yaml\ninterfaces:\n  eth0.100:\n    promisc: true\n    "
     "ring_buffer:\n"
     "      block_size: 1\n      num_blocks: 2\n  \"/^wg\\\\d/\":\n    disable: true\n",
     "old:5: interfaces./^wg\\d/.colour: left out: unknown key\n"},
    {"filters and lists",
     "interfaces: {e: {extra_bpf_filters: [{op: 6, k: 0}], ignore_vlans: false}}\n"
     "autodetection: {enabled: true, exclude: [lo, '/a b/']}\n",
     "# /etc/fleetprobe/goprobe.yaml\ninterfaces:\n  e:\n    extra_bpf_filters:\n      -\n        "
     "op: 6\n"
     "        k: 0\n    ignore_vlans: false\nautodetection:\n  enabled: true\n  exclude:\n    - "
     "lo\n"
     "    - \"/a b/\"\n",
     ""},
    {"socket", "api: {addr: 'unix:/run/x.sock'}\n",
     "# /etc/fleetprobe/goprobe.yaml\napi:\n  addr: ipc:///run/x.sock\n"
     "  key_file: /etc/fleetprobe/agent.key # gpkey new agent NAME\n"
     "  trusted_keys: /etc/fleetprobe/trusted_keys # who may ask and relay\n",
     "old:1: api.addr: queries are signed: make api.key_file and api.trusted_keys (gpkey)\n"},
    {"port only, metrics",
     "api:\n  addr: :6060\n  metrics: yes\n  keys: [secretsecret]\n  profiling: true\n  "
     "request_timeout: 2\n",
     "# /etc/fleetprobe/goprobe.yaml\napi:\n  addr: tcp://0.0.0.0:6060\n"
     "  key_file: /etc/fleetprobe/agent.key # gpkey new agent NAME\n"
     "  trusted_keys: /etc/fleetprobe/trusted_keys # who may ask and relay\n"
     "  metrics: true\n  metrics_addr: 127.0.0.1:9145\n",
     "old:2: api.addr: queries are signed: make api.key_file and api.trusted_keys (gpkey)\n"
     "old:3: api.metrics: metrics have an address of their own: api.metrics_addr\n"
     "old:4: api.keys: left out: api.trusted_keys says who may ask\n"
     "old:5: api.profiling: left out: there are no profiling pages\n"
     "old:6: api.request_timeout: left out: it had no effect\n"},
    {"no api, spelling of keys, odd values",
     "api: {addr: ''}\nDB: {Path: \"a\\\"b\\\\\\n\", encoder_type: lz4Cust}\nlogging: {level: "
     "panic, destination: 'null'}\n",
     "# /etc/fleetprobe/goprobe.yaml\napi:\n  addr: []\ndb:\n  path: \"a\\\"b\\\\\\x0a\"\n  "
     "encoder_type: lz4\n"
     "logging:\n  level: fatal\n  destination: \"null\"\n",
     "old:2: DB.encoder_type: lz4cust is historic, lz4 instead\n"
     "old:3: logging.level: panic is not there, fatal instead\n"},
    {"values that YAML would take for something else",
     "db: {path: x}\nautodetection: {enabled: true, exclude: ['-', '-x', ':', ':x', 'x:', 'a:b', "
     "'a b', '', '#', '{', '~', 'Null', 'no', '*', '&a']}\n",
     "# /etc/fleetprobe/goprobe.yaml\ndb:\n  path: x\nautodetection:\n  enabled: true\n  exclude:\n"
     "    - \"-\"\n    - \"-x\"\n    - \":\"\n    - \":x\"\n    - \"x:\"\n    - a:b\n    - \"a "
     "b\"\n"
     "    - \"\"\n    - \"#\"\n    - \"{\"\n    - \"~\"\n    - \"Null\"\n    - no\n    - \"*\"\n"
     "    - \"&a\"\n",
     ""},
    {"aggregator",
     "querier: {config: /e.yaml, max_concurrent: 3}\nserver:\n  addr: localhost:8145\n  "
     "shutdownGracePeriod: 5s\n"
     "  cors_origins: []\nlogging: {destination: x}\ntracing: {enabled: true}\n",
     "# /etc/fleetprobe/global-query.yaml\nquerier:\n  config: /e.yaml\nserver:\n  addr: "
     "localhost:8145\n"
     "  shutdowngraceperiod: 5s\nlogging:\nidentity:\n"
     "  key: /etc/fleetprobe/aggregator.key # gpkey new aggregator NAME\n"
     "  trusted_keys: /etc/fleetprobe/trusted_keys # users and agents\n",
     "old:1: querier.max_concurrent: left out: it had no effect; here it would have\n"
     "old:5: server.cors_origins: left out: HTTP is not spoken here\n"
     "old:6: logging.destination: left out: it had no effect; here it would have\n"
     "old:7: tracing: left out: traces are not sent\n"},
    {"resolvers and queriers of plug-ins",
     "hosts:\n  resolver: {type: ldap, config: /l}\n  resolvers:\n    - {type: static, config: "
     "/s}\n"
     "    - type: 'consul'\nquerier: {type: kafka}\n",
     "# /etc/fleetprobe/global-query.yaml\nhosts:\n  resolver:\n    type: ldap\n    config: /l\n"
     "  resolvers:\n    -\n      type: static\n      config: /s\n    -\n      type: "
     "consul\nquerier:\n"
     "  type: kafka\nidentity:\n"
     "  key: /etc/fleetprobe/aggregator.key # gpkey new aggregator NAME\n"
     "  trusted_keys: /etc/fleetprobe/trusted_keys # users and agents\n",
     "old:2: hosts.resolver.type: there is no resolver \"ldap\" here, and global-query will say "
     "so; "
     "choose string, static, file or dns\n"
     "old:5: hosts.resolvers.1.type: there is no resolver \"consul\" here, and global-query will "
     "say "
     "so; choose string, static, file or dns\n"
     "old:6: querier.type: there is no querier \"kafka\" here, and global-query will say so; "
     "choose "
     "api\n"},
    {"resolvers that are ours",
     "hosts: {resolver: {type: string}, resolvers: [{type: ''}, {config: /x}]}\n",
     "# /etc/fleetprobe/global-query.yaml\nhosts:\n  resolver:\n    type: string\n  resolvers:\n   "
     " -\n"
     "      type: \"\"\n    -\n      config: /x\nidentity:\n"
     "  key: /etc/fleetprobe/aggregator.key # gpkey new aggregator NAME\n"
     "  trusted_keys: /etc/fleetprobe/trusted_keys # users and agents\n",
     ""},
    {"endpoint table",
     "a: {addr: 'unix:/s', timeout: 5s, log: true}\nb:\n  addr: http://h:1\n  key: secret\n  "
     "scheme: http://\nc: {addr: }\n",
     "# /etc/fleetprobe/endpoints.yaml\na:\n  addr: unix:/s\n  timeout: 5s\n  log: true\nb:\n  "
     "addr: h:1\n"
     "c:\n  addr: \"\"\n",
     "old:3: b.addr: without the scheme: the agent's own protocol is spoken\n"
     "old:4: b.key: left out: hosts are known by the key of their certificate\n"
     "old:5: b.scheme: left out: the agent's own protocol is spoken\n"
     "old:6: c.addr: an address is needed\n"},
    {"something else", "a: 1\n",
     "! old:1: neither a configuration of goProbe or global-query nor an endpoint table", ""},
    {"nothing", "",
     "! old:1: neither a configuration of goProbe or global-query nor an endpoint table", ""},
    {"a map for a name", "api: {addr: {a: b}}\n", "! old:1: api.addr: expected", ""},
};

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct row *r = &rows[i];
        gp_buf out = {0}, notes = {0};
        gp_err err = {0};
        rt_config *c = NULL;
        want_ok_err(&err, rt_config_parse("old", r->old, strlen(r->old), &c, &err));
        gp_status st = translate_config(c, &out, on_note, &notes, &err);
        if (r->now[0] == '!') {
            if (st != GP_EINVAL || strncmp(err.msg, r->now + 2, strlen(r->now + 2)) != 0)
                fail_msg("%s: got %s: %s", r->what, gp_status_name(st), err.msg);
        } else {
            if (st != GP_OK || strcmp(gp_buf_str(&out), r->now) != 0)
                fail_msg("%s: got %s\n%s", r->what, err.msg, gp_buf_str(&out));
            if (strcmp(gp_buf_str(&notes), r->notes) != 0)
                fail_msg("%s: notes %s", r->what, gp_buf_str(&notes));
        }
        gp_buf_free(&out);
        gp_buf_free(&notes);
        rt_config_free(c);
    }
}

/* What comes out can be read. */
static void test_readable(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        gp_err err = {0};
        rt_config *c = NULL;
        if (rows[i].now[0] == '!')
            continue;
        want_ok_err(&err, rt_config_parse("new", rows[i].now, strlen(rows[i].now), &c, &err));
        rt_config_free(c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_readable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
