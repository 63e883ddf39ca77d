/* help_test.c - help texts, version, completion scripts: complete, within 100 columns, valid shell.
 */
#include "test.h"

#include "table.h"

#include <sys/wait.h>

static char *help_of(const cli_cmd *cmd)
{
    char *text = NULL;
    size_t len = 0;
    cli_line l = {.root = &table_root, .cmd = cmd, .program = "tool"};
    FILE *f = open_memstream(&text, &len);
    assert_non_null(f);
    cli_help(&l, cmd, f);
    assert_int_equal(fclose(f), 0);
    return text;
}

static void test_help(void **state)
{
    (void)state;
    char *got = help_of(&table_root);
    static const char want[] =
        "Asks questions.\n"
        "\n"
        "Usage:\n"
        "  tool [flags] QUERY_TYPE\n"
        "  tool list [IFACE ...]\n"
        "\n"
        "Commands:\n"
        "  list          Inventory.\n"
        "  config        Settings.\n"
        "\n"
        "What:\n"
        "  -i, --ifaces LIST                     Interfaces.\n"
        "      --sum                             Add up.\n"
        "  -r, --in                              Received.\n"
        "\n"
        "How:\n"
        "  -a, --sort.ascending                  Smallest first.\n"
        "  -n, --results.limit N                 Most rows. (default 1000)\n"
        "  -e, --results.format FORMAT           Output format. (default txt)\n"
        "  -f, --first TIME                      From when on.\n"
        "      --max-rows N                      Rows to resolve. (default 25)\n"
        "  -k, --keepalive DURATION              Interval.\n"
        "      --size BYTES                      Size.\n"
        "      --host NAME                       Host, may be repeated.\n"
        "  -v, --version                         Show the version.\n"
        "\n"
        "Where:\n"
        "  -d, --db.path DIR                     Database root. A long text that goes on and on, "
        "so that it\n"
        "                                        has to be wrapped somewhere near the right margin "
        "of the\n"
        "                                        terminal, which is at column one hundred.\n"
        "  -h, --help                            Show this help.\n";
    if (strcmp(got, want) != 0)
        fail_msg("--- got\n%s--- want\n%s", got, want);
    gp_free(got);
    got = help_of(&table_list);
    static const char list[] = "Inventory.\n"
                               "\n"
                               "Usage:\n"
                               "  tool list [IFACE ...] [flags]\n"
                               "\n"
                               "Flags:\n"
                               "  -v, --detailed                        More columns.\n"
                               "\n"
                               "Flags of all commands:\n"
                               "  -e, --results.format FORMAT           Output format.";
    assert_memory_equal(got, list, sizeof list - 1);
    assert_null(strstr(got, "--ifaces"));
    gp_free(got);
    got = help_of(&table_set);
    assert_non_null(strstr(got, "\n  tool config set [flags]\n"));
    gp_free(got);
}

static void test_version(void **state)
{
    (void)state;
    char *text = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&text, &len);
    assert_non_null(f);
    cli_version("tool", f);
    assert_int_equal(fclose(f), 0);
    /* a test build has no release data, unless somebody gives it some */
    if (strcmp(cli_version_short(), "devel") == 0)
        assert_string_equal(text, "tool devel\n");
    else
        assert_memory_equal(text, "tool - ", 7);
    gp_free(text);
}

static char *script_of(const char *shell, const char *path)
{
    gp_err err = {0};
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    want_ok_err(&err, cli_completion(&table_root, "my-tool", shell, f, &err));
    assert_int_equal(fclose(f), 0);
    return test_slurp(path, NULL);
}

/* Run bash with a script; its standard output. */
static char *run_bash(const char *dir, const char *script)
{
    char *in = gp_asprintf("%s/run.sh", dir), *out = gp_asprintf("%s/out", dir);
    assert_non_null(in);
    assert_non_null(out);
    test_spew(in, script, strlen(script));
    pid_t pid = fork();
    if (pid == 0) {
        if (!freopen(out, "w", stdout))
            _exit(126);
        execlp("bash", "bash", "--norc", "--noprofile", in, (char *)NULL);
        _exit(127);
    }
    int status = 0;
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WEXITSTATUS(status) == 127)
        skip_because("no bash");
    assert_int_equal(status, 0);
    char *text = test_slurp(out, NULL);
    gp_free(in);
    gp_free(out);
    return text;
}

static void test_bash(void **state)
{
    (void)state;
    GP_CLEANUP(test_tmpdirp) char *dir = test_tmpdir();
    char *path = gp_asprintf("%s/c.bash", dir);
    assert_non_null(path);
    gp_free(script_of("bash", path));
    static const struct {
        const char *what, *words, *want;
    } cases[] = {
        {"commands", "my-tool ''", "list config "},
        {"flag prefix", "my-tool --su", "--sum "},
        {"hidden flags are not offered", "my-tool --sec", ""},
        {"choices", "my-tool -e j", "json "},
        {"choices below a command", "my-tool list --results.format c", "csv "},
        {"flags of a command", "my-tool list --d", "--detailed --db.path "},
        {"nested", "my-tool config ''", "set "},
        {"value without suggestions", "my-tool -n ''", ""},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char *script =
            gp_asprintf("set -u\n. %s\nCOMP_WORDS=(%s)\n"
                        "COMP_CWORD=$((${#COMP_WORDS[@]}-1)) COMP_LINE='' COMP_POINT=0\n"
                        "_my_tool\nfor w in \"${COMPREPLY[@]}\"; do printf '%%s ' \"$w\"; "
                        "done\n",
                        path, cases[i].words);
        assert_non_null(script);
        char *got = run_bash(dir, script);
        if (strcmp(got, cases[i].want) != 0)
            fail_msg("%s: got '%s', want '%s'", cases[i].what, got, cases[i].want);
        gp_free(got);
        gp_free(script);
    }
    gp_free(path);
}

static void test_other_shells(void **state)
{
    (void)state;
    GP_CLEANUP(test_tmpdirp) char *dir = test_tmpdir();
    char *path = gp_asprintf("%s/c", dir);
    gp_err err = {0};
    assert_non_null(path);
    char *got = script_of("zsh", path);
    assert_memory_equal(got, "#compdef my-tool\n", 17);
    assert_non_null(strstr(got, "'*--db.path=[Database root]:DIR:_files -/'"));
    gp_free(got);
    got = script_of("fish", path);
    assert_non_null(strstr(got, "complete -c my-tool -l results.limit -s n -x -d 'Most rows'\n"));
    assert_non_null(strstr(got, "-l results.format -s e -x -a 'csv json txt' -d"));
    assert_null(strstr(got, "secret"));
    gp_free(got);
    got = script_of("powershell", path);
    assert_non_null(strstr(got, "'config set' = @("));
    gp_free(got);
    want_status(GP_ENOTFOUND, cli_completion(&table_root, "x", "tcsh", stdout, &err));
    gp_free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_help),
        cmocka_unit_test(test_version),
        cmocka_unit_test(test_bash),
        cmocka_unit_test(test_other_shells),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
