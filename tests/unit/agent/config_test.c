/* config_test.c - goprobe's settings: defaults, formats, precedence, and every refusal (capture.md
 * 5). */
#include "config.h"
#include "test.h"

#define RING "{ring_buffer: {block_size: 1048576, num_blocks: 4}}"
#define N64  "n234567890123456789012345678901234567890123456789012345678901234"
#define KEY  "0123456789abcdef0123456789abcdef"

typedef struct notes {
    char text[1024];
} notes;

static void note(void *ctx, const char *text)
{
    notes *n = ctx;
    size_t len = strlen(n->text);
    (void)snprintf(n->text + len, sizeof n->text - len, "%s\n", text);
}

/* Load a file with this text; the caller frees *out. */
static gp_status load(const char *text, const agent_override *set, size_t n_set, notes *n,
                      agent_config **out, gp_err *err)
{
    GP_CLEANUP(test_tmpdirp) char *dir = test_tmpdir();
    GP_CLEANUP(gp_freep) char *path = gp_asprintf("%s/x.conf", dir);

    memset(n, 0, sizeof *n);
    memset(err, 0, sizeof *err);
    test_spew(path, text, strlen(text));
    gp_status st = agent_config_load(path, set, n_set, out, err);
    if (st == GP_OK)
        rt_config_warnings((*out)->source, note, n);
    return st;
}

static void test_defaults_and_values(void **state)
{
    (void)state;
    notes n;
    gp_err err;
    agent_config *c = NULL;

    want_ok_err(&err,
                load("db: {path: /x}\ninterfaces:\n  eth0: " RING "\n", NULL, 0, &n, &c, &err));
    assert_string_equal(n.text, "");
    assert_string_equal(c->db_path, "/x");
    assert_int_equal(c->writer.codec, 3);
    assert_int_equal(c->writer.mode, 0644);
    assert_int_equal(c->writer.sync, GODB_SYNC_BLOCK);
    assert_int_equal(c->interval_s, 300);
    assert_int_equal(c->checkpoint_ms, 0);
    assert_int_equal(c->retention.interval_ms, 0); /* no limit, no retention */
    assert_int_equal(c->max_flows, 2000000);
    assert_int_equal(c->compat, 0);
    assert_int_equal(c->n_listen, 0);
    assert_int_equal(c->log_level, RT_INFO);
    assert_int_equal(c->seccomp, 1);
    assert_int_equal(c->rate.max_concurrent, 8);
    const capture_conf *e = flow_ruleset_conf(c->rules, "eth0");
    assert_non_null(e);
    assert_int_equal(e->block_size * e->num_blocks, 4 << 20);
    assert_null(flow_ruleset_conf(c->rules, "eth1"));
    agent_config_free(c);

    want_ok_err(
        &err,
        load(
            "{\"db\": {\"path\": \"/y\", \"encoder_type\": \"ZSTD\", \"permissions\": 416,"
            " \"sync\": \"none\"},"
            " \"capture\": {\"compat\": true, \"max_flows\": 5000},"
            " \"interfaces\": {\"/^E/\": {\"promisc\": true, \"ignore_vlans\": true, \"sample\": 8,"
            " \"ring_buffer\": {\"block_size\": 65536, \"num_blocks\": 3},"
            " \"extra_bpf_filters\": [{\"op\": 21, \"jt\": 1, \"jf\": 0, \"k\": 2048}]},"
            " \"eth0.100\": {\"disable\": true}}}",
            NULL, 0, &n, &c, &err));
    assert_string_equal(n.text, "");
    assert_int_equal(c->writer.codec, 2);
    assert_int_equal(c->writer.mode, 0640);
    assert_int_equal(c->writer.sync, GODB_SYNC_NONE);
    assert_int_equal(c->compat, 1);
    assert_int_equal(c->max_flows, 5000);
    e = flow_ruleset_conf(c->rules, "Eth7"); /* D-20: case is kept */
    assert_non_null(e);
    assert_null(flow_ruleset_conf(c->rules, "eth7"));
    assert_true(e->promisc && e->ignore_vlans && e->sample == 8 && e->n_extra == 1);
    assert_int_equal(e->extra[0].op, 21);
    assert_int_equal(e->extra[0].k, 2048);
    assert_null(flow_ruleset_conf(c->rules, "eth0.100"));
    agent_config_free(c);
}

/* First error wins, in the order of 5.3; each names the line and what was expected. */
static void test_refusals(void **state)
{
    (void)state;
    static const struct {
        const char *what, *text, *want;
    } cases[] = {
        {"no path", "interfaces: {eth0: " RING "}", "db.path: database path required"},
        {"encoder", "db: {path: /x,\n  encoder_type: lzma}\n", ":2: db.encoder_type: unsupported"},
        {"mode", "db: {path: /x, permissions: 640}\n", "db.permissions: expected a file mode"},
        {"mode not for the owner", "db: {path: /x, permissions: 0044}\n", "db.permissions"},
        {"sync", "db: {path: /x, sync: often}\n", "db.sync: expected"},
        {"checkpoint", "db: {path: /x, checkpoint: 100ms}\n", "db.checkpoint: expected 0 (off)"},
        {"interval", "db: {path: /x, interval: 0s}\n", "db.interval"},
        {"age", "db: {path: /x,\n  retention: {max_age: old}}\n",
         ":2: db.retention.max_age: 'old' is no age"},
        {"free", "db: {path: /x, retention: {min_free: 101%}}\n",
         "db.retention.min_free: 101%: expected 0%"},
        {"size", "db: {path: /x, retention: {max_size: much}}\n", "db.retention.max_size"},
        {"look", "db: {path: /x, retention: {interval: 0s}}\n", "db.retention.interval"},
        {"rate without burst", "db: {path: /x}\napi: {query_rate_limit: {max_req_per_sec: 2}}\n",
         ":2: api.query_rate_limit.max_req_per_sec: max_req_per_sec and max_burst go together"},
        {"burst without rate", "db: {path: /x}\napi: {query_rate_limit: {max_burst: 2}}\n",
         ":2: api.query_rate_limit.max_burst: max_req_per_sec and max_burst go together"},
        {"concurrent", "db: {path: /x}\napi: {query_rate_limit: {max_concurrent: -1}}\n",
         ":2: api.query_rate_limit.max_concurrent"},
        {"too many at once", "db: {path: /x}\napi: {query_rate_limit: {max_concurrent: 257}}\n",
         ":2: api.query_rate_limit.max_concurrent"},
        {"address", "db: {path: /x}\napi: {addr: here}\n", ":2: api.addr: expected host:port"},
        {"octet", "db: {path: /x}\napi:\n  addr: ['tcp://300.1.1.1:80']\n",
         ":3: api.addr: expected an IPv4 address or a name before the port, got "
         "\"tcp://300.1.1.1:80\""},
        {"aggregator without port", "db: {path: /x}\napi:\n  dial_out: ['tcp://hub:0']\n",
         ":3: api.dial_out: expected host:port"},
        {"short key", "db: {path: /x}\napi: {keys: [abc]}\n", "too short: 3 characters"},
        {"published key",
         "db: {path: /x}\napi:\n  keys:\n    - " KEY "\n    - "
         "da53ae3fb482db63d9606a9324a694bf51f7ad47623c04ab7b97a811f2a78e05\n",
         "key 2 is compromised"},
        {"service without keys", "db: {path: /x}\napi: {addr: ':8145'}\n",
         "api.addr: the query service needs api.key_file"},
        {"service without trusted keys", "db: {path: /x}\napi: {addr: ':8145', key_file: /k}\n",
         "api.trusted_keys"},
        {"host name with a blank", "db: {path: /x}\napi: {host_name: a b}\n",
         ":2: api.host_name: not a host name"},
        {"host name of two", "db: {path: /x}\napi: {host_name: 'a,b'}\n", "api.host_name: not a"},
        {"host name with a line feed", "db: {path: /x}\napi: {host_name: \"a\\nb\"}\n",
         "api.host_name: not a"},
        {"host name of 256 bytes", "db: {path: /x}\napi: {host_name: " N64 N64 N64 N64 "}\n",
         "api.host_name: not a host name: at most 255 bytes"},
        {"open metrics", "db: {path: /x}\napi: {metrics: true, metrics_addr: '192.0.2.1:8146'}\n",
         ":2: api.metrics_addr: "},
        {"nine addresses",
         "db: {path: /x}\napi: {addr: [':1', ':2', ':3', ':4', ':5', ':6', ':7', ':8', ':9']}\n",
         "api.addr: 9 addresses, at most 8"},
        {"request timeout", "db: {path: /x}\napi: {request_timeout: -1}\n", "api.request_timeout"},
        {"local buffers", "db: {path: /x}\nlocal_buffers: {num_buffers: -2}\n",
         "local_buffers.num_buffers"},
        {"exclusion", "db: {path: /x}\nautodetection: {enabled: true, exclude: ['/(/']}\n",
         "autodetection.exclude: /(/: not a regular expression"},
        {"both", "db: {path: /x}\nautodetection: {enabled: true}\ninterfaces:\n  a: " RING "\n",
         "autodetection.enabled conflicts"},
        {"neither", "db: {path: /x}\n", "interfaces: no interfaces to capture on"},
        {"all disabled", "db: {path: /x}\ninterfaces: {a: {disable: true}}\n",
         "no interfaces to capture on"},
        {"no ring", "db: {path: /x}\ninterfaces:\n  eth0:\n    promisc: true\n",
         "interfaces.eth0: no ring buffer settings"},
        {"empty interface", "db: {path: /x}\ninterfaces:\n  eth0:\n", "no ring buffer settings"},
        {"block size", "db: {path: /x}\ninterfaces:\n  e: {ring_buffer: {num_blocks: 4}}\n",
         ":3: interfaces.e.ring_buffer: block_size is missing"},
        {"block size with a unit",
         "db: {path: /x}\ninterfaces:\n  e: {ring_buffer: {block_size: 1M, num_blocks: 4}}\n",
         "ring_buffer.block_size: expected a whole number from 1 to 2147483648, got \"1M\""},
        {"blocks",
         "db: {path: /x}\ninterfaces:\n  e: {ring_buffer: {block_size: 4, num_blocks: -1}}\n",
         "interfaces.e.ring_buffer.num_blocks: expected"},
        {"ring too large",
         "db: {path: /x}\ninterfaces:\n  e: {ring_buffer: {block_size: 2147483648, num_blocks: 2}}",
         "above 2 GiB"},
        {"disable and more",
         "db: {path: /x}\ninterfaces:\n  e: {disable: true, promisc: true}\n  f: " RING "\n",
         "interfaces.e: disable: true conflicts"},
        {"expression", "db: {path: /x}\ninterfaces:\n  '/[/': " RING "\n", ":3: interfaces./[/: "},
        {"bad name", "db: {path: /x}\ninterfaces:\n  this-is-much-too-long: " RING "\n",
         "not an interface name"},
        {"filter op", "db: {path: /x}\ninterfaces:\n  e: {extra_bpf_filters: [{op: 70000}]}\n",
         "extra_bpf_filters.0.op"},
        {"filter shape", "db: {path: /x}\ninterfaces:\n  e: {extra_bpf_filters: [7]}\n",
         "expected an instruction"},
        {"filter jump",
         "db: {path: /x}\ninterfaces:\n  e: {extra_bpf_filters: [{op: 21, jf: 9}]}\n",
         ":3: interfaces.e.extra_bpf_filters: instruction 0 jumps too far"},
        {"filter code", "db: {path: /x}\ninterfaces:\n  e: {extra_bpf_filters: [{op: 52, k: 0}]}\n",
         "interfaces.e.extra_bpf_filters: the kernel refuses"},
        {"sample", "db: {path: /x}\ninterfaces:\n  e: {sample: 0}\n", "interfaces.e.sample"},
        {"max_flows", "db: {path: /x}\ncapture: {max_flows: 3}\ninterfaces: {e: " RING "}\n",
         "capture.max_flows"},
        {"level", "db: {path: /x}\nlogging: {level: loud}\ninterfaces: {e: " RING "}\n",
         ":2: logging.level: expected debug"},
        {"encoding", "db: {path: /x}\nlogging: {encoding: xml}\ninterfaces: {e: " RING "}\n",
         "logging.encoding: expected"},
        {"not YAML", "db: [", "x.conf:"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        notes n;
        gp_err err;
        agent_config *c = NULL;
        gp_status st = load(cases[i].text, NULL, 0, &n, &c, &err);
        if (st == GP_OK || !strstr(err.msg, cases[i].want))
            fail_msg("%s: \"%s\" does not contain \"%s\"", cases[i].what,
                     st == GP_OK ? "accepted" : err.msg, cases[i].want);
        if (strstr(err.msg, "da53ae") || strstr(err.msg, "abc]"))
            fail_msg("%s: prints a key: %s", cases[i].what, err.msg);
    }
}

static void test_warnings(void **state)
{
    (void)state;
    static const struct {
        const char *what, *text, *want;
    } cases[] = {
        {"unknown key", "db: {path: /x}\ndb2: 1\ninterfaces: {e: " RING "}\n",
         "x.conf:2: db2: unknown key, ignored\n"},
        {"keys", "db: {path: /x}\napi: {keys: [" KEY "]}\ninterfaces: {e: " RING "}\n",
         "x.conf:2: api.keys: no effect"},
        {"local buffers",
         "db: {path: /x}\nlocal_buffers: {size_limit: 9}\ninterfaces: {e: " RING "}\n",
         "x.conf:2: local_buffers.size_limit: no effect"},
        {"historic codec", "db: {path: /x, encoder_type: lz4cust}\ninterfaces: {e: " RING "}\n",
         "lz4cust is historic"},
        {"timeout", "db: {path: /x}\napi: {request_timeout: 9}\ninterfaces: {e: " RING "}\n",
         "api.request_timeout: no effect"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        notes n;
        gp_err err;
        agent_config *c = NULL;
        want_ok_err(&err, load(cases[i].text, NULL, 0, &n, &c, &err));
        if (!strstr(n.text, cases[i].want))
            fail_msg("%s: \"%s\"", cases[i].what, n.text);
        agent_config_free(c);
    }
}

/* flag > environment with prefix > bare environment > file > default (5.1, D-21). */
static void test_precedence(void **state)
{
    (void)state;
    static const char text[] = "db: {path: /file, sync: day}\nlogging: {level: warn}\n"
                               "interfaces: {e: " RING "}\n";
    agent_override set[] = {{"db.path", "/flag"}};
    notes n;
    gp_err err;
    agent_config *c = NULL;

    assert_int_equal(setenv("DB_PATH", "/bare", 1), 0);
    want_ok_err(&err, load(text, NULL, 0, &n, &c, &err));
    assert_string_equal(c->db_path, "/bare");
    agent_config_free(c);
    assert_int_equal(setenv("GOPROBE_DB_PATH", "/prefixed", 1), 0);
    assert_int_equal(setenv("GOPROBE_LOGGING_LEVEL", "error", 1), 0);
    assert_int_equal(setenv("DB", "x", 1), 0); /* hides nothing */
    want_ok_err(&err, load(text, NULL, 0, &n, &c, &err));
    assert_string_equal(c->db_path, "/prefixed");
    assert_int_equal(c->log_level, RT_ERROR);
    assert_int_equal(c->writer.sync, GODB_SYNC_DAY);
    agent_config_free(c);
    want_ok_err(&err, load(text, set, 1, &n, &c, &err));
    assert_string_equal(c->db_path, "/flag");
    agent_config_free(c);

    /* without a file */
    assert_int_equal(setenv("GOPROBE_AUTODETECTION_ENABLED", "1", 1), 0);
    assert_int_equal(setenv("GOPROBE_AUTODETECTION_EXCLUDE", "lo,/^veth/", 1), 0);
    want_ok_err(&err, agent_config_load(NULL, NULL, 0, &c, &err));
    assert_true(c->detect);
    assert_non_null(flow_ruleset_conf(c->rules, "eth0"));
    assert_null(flow_ruleset_conf(c->rules, "lo"));
    assert_null(flow_ruleset_conf(c->rules, "veth7"));
    agent_config_free(c);
    static const char *const names[] = {"DB",
                                        "DB_PATH",
                                        "GOPROBE_DB_PATH",
                                        "GOPROBE_LOGGING_LEVEL",
                                        "GOPROBE_AUTODETECTION_ENABLED",
                                        "GOPROBE_AUTODETECTION_EXCLUDE"};
    for (size_t i = 0; i < COUNT(names); i++)
        assert_int_equal(unsetenv(names[i]), 0);
}

static void test_listen(void **state)
{
    (void)state;
    notes n;
    gp_err err;
    agent_config *c = NULL;

    want_ok_err(&err,
                load("db: {path: /x}\ninterfaces: {e: " RING "}\napi:\n"
                     "  addr: ['tcp://[::1]:1', 'ipc:///a/b', 'unix:/c/d', ':8145', 'h:9', ':1',"
                     " ':2', ':3']\n  metrics: true\n  metrics_addr: '127.0.0.1:1'\n"
                     "  key_file: /k\n  trusted_keys: /t\n  groups: [dmz]\n",
                     NULL, 0, &n, &c, &err));
    static const char *const want[] = {"tcp://[::1]:1",      "ipc:///a/b",     "ipc:///c/d",
                                       "tcp://0.0.0.0:8145", "tcp://h:9",      "tcp://0.0.0.0:1",
                                       "tcp://0.0.0.0:2",    "tcp://0.0.0.0:3"}; /* the most */
    assert_int_equal(c->n_listen, COUNT(want));
    for (size_t i = 0; i < COUNT(want); i++)
        assert_string_equal(c->listen[i], want[i]);
    assert_string_equal(c->groups[0], "dmz");
    agent_config_free(c);
}

static void test_needs_restart(void **state)
{
    (void)state;
    static const struct {
        const char *set_key, *value, *want; /* want NULL: can change at run time */
    } cases[] = {
        {"logging.level", "debug", NULL},
        {"db.path", "/other", "db.path"},
        {"db.encoder_type", "zstd", "db.encoder_type"},
        {"db.checkpoint", "10s", "db.checkpoint"},
        {"capture.compat", "true", "capture.compat"},
        {"capture.fragments", "true", "capture.fragments"},
        {"db.retention.max_age", "90d", "db.retention"},
        {"api.key_file", "/other", "api.key_file"},
        {"api.trusted_keys", "/other", "api.trusted_keys"},
        {"api.host_name", "other", "api.host_name"},
        {"api.also_named", "other", "api.also_named"},
        {"api.groups", "other", "api.groups"},
        {"api.fleet", "other", "api.fleet"},
        {"api.query_rate_limit.max_concurrent", "3", "api.query_rate_limit"},
    };
    static const char text[] = "db: {path: /x}\ninterfaces: {e: " RING "}\n";
    notes n;
    gp_err err;

    for (size_t i = 0; i < COUNT(cases); i++) {
        agent_config *a = NULL, *b = NULL;
        agent_override set = {cases[i].set_key, cases[i].value};
        gp_buf keys = {0};
        want_ok_err(&err, load(text, NULL, 0, &n, &a, &err));
        want_ok_err(&err, load(text, &set, 1, &n, &b, &err));
        assert_int_equal(agent_config_needs_restart(a, b, &keys), cases[i].want != NULL);
        if (cases[i].want)
            assert_string_equal(gp_buf_str(&keys), cases[i].want);
        gp_buf_free(&keys);
        agent_config_free(a);
        agent_config_free(b);
    }
}

/* The map of config.set: strict, because a slip would stop capture. */
static void test_request(void **state)
{
    (void)state;
    static const struct {
        const char *what, *text, *want; /* want NULL: accepted */
    } cases[] = {
        {"one", "{\"eth0\": " RING "}", NULL},
        {"YAML, an expression, everything",
         "'/^e/':\n  ring_buffer: {block_size: 1, num_blocks: 1}\n  promisc: true\n"
         "  ignore_vlans: true\n  sample: 4\n  disable: false\n"
         "  extra_bpf_filters: [{op: 6, jt: 0, jf: 0, k: 160}]\n",
         NULL},
        {"one of two", "{a: " RING ", b: {disable: true}}", NULL},
        {"nothing", "", "no interfaces to capture on"},
        {"empty map", "{}", "no interfaces to capture on"},
        {"all disabled", "{a: {disable: true}}", "no interfaces to capture on"},
        {"unknown setting",
         "{a: {promiscuous: true,\n  ring_buffer: {block_size: 1, "
         "num_blocks: 1}}}",
         "request:1: a.promiscuous: unknown key"},
        {"unknown ring setting",
         "a:\n  ring_buffer: {block_size: 1, num_blocks: 1,\n    blocks: 4}\n",
         "request:3: a.ring_buffer.blocks: unknown key"},
        {"unknown filter setting",
         "a:\n  ring_buffer: {block_size: 1, num_blocks: 1}\n"
         "  extra_bpf_filters: [{op: 6, kk: 160}]\n",
         "unknown key"},
        {"a whole file", "interfaces: {a: " RING "}\n", "no ring buffer settings"},
        {"no map", "[a, b]", "at the top level"},
        {"text", "eth0", "at the top level"},
        {"no settings", "{a: }", "request:1: a: no ring buffer settings"},
        {"bad value", "a:\n  ring_buffer: {block_size: 0, num_blocks: 1}\n",
         "request:2: a.ring_buffer.block_size"},
        {"bad expression", "'/(/': " RING, "not a regular expression"},
        {"broken", "{a: ", "request:"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        flow_ruleset *rs = NULL;
        gp_err err = {0};
        gp_status st = agent_config_request(cases[i].text, strlen(cases[i].text), &rs, &err);
        if (cases[i].want ? st != GP_EINVAL || !strstr(err.msg, cases[i].want) : st != GP_OK)
            fail_msg("%s: %s \"%s\"", cases[i].what, gp_status_name(st), err.msg);
        flow_ruleset_free(rs);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults_and_values),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_warnings),
        cmocka_unit_test(test_precedence),
        cmocka_unit_test(test_needs_restart),
        cmocka_unit_test(test_listen),
        cmocka_unit_test(test_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
