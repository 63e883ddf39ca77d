/* main.c - goquery_completion: candidates for what is being typed on goquery's command line. */
#include "completion.h"

#include "cli/args.h"
#include "gp/io.h"
#include "gp/num.h"

#include <stdio.h>
#include <string.h>

enum { MEMORY = 64 << 20, MAX_LINE = 1 << 20 };

static const char help[] =
    "Print candidates for the word at the cursor of a goquery command line, one per line. Shells\n"
    "call it through the completion scripts that are installed with goquery.\n"
    "\n"
    "Usage:\n"
    "  goquery_completion bash COMP_POINT COMP_LINE\n"
    "  goquery_completion -version\n"
    "\n"
    "Flags:\n"
    "      -version                          Show the version.\n"
    "  -h, --help                            Show this help.\n";

/* Exit code. Internal failures are silent: text would end up among the candidates. */
static int complete(const char *point, const char *line)
{
    uint64_t at;
    size_t len = strlen(line);
    if (!gp_num_u64(point, strlen(point), len, &at) || at > MAX_LINE)
        return 0;
    gp_arena *arena = gp_arena_new(MEMORY);
    gp_buf out = {0};
    line_words w;
    int code = 1;
    if (arena && words_split(line, (size_t)at, arena, &w, NULL) == GP_OK &&
        complete_line(&w, arena, &out, NULL) == GP_OK && !out.failed) {
        code = 0;
        if (out.len && fwrite(out.data, 1, out.len, stdout) != out.len)
            code = 1;
        if (fflush(stdout) != 0)
            code = 1;
    }
    gp_buf_free(&out);
    gp_arena_free(arena);
    return code;
}

int main(int argc, char **argv)
{
    const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
    const char *program = slash ? slash + 1 : argc > 0 ? argv[0] : "goquery_completion";
    gp_hold_std_fds();
    if (argc < 2) {
        fprintf(stderr, "%s: no mode given (try %s --help)\n", program, program);
        return 0;
    }
    if (strcmp(argv[1], "-version") == 0 || strcmp(argv[1], "--version") == 0) {
        cli_version(program, stdout);
        return 0;
    }
    if (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0) {
        fputs(help, stdout);
        return 0;
    }
    if (strcmp(argv[1], "bash") != 0) {
        fprintf(stderr, "%s: unknown mode \"%s\", expected bash\n", program, argv[1]);
        return 0;
    }
    return argc < 4 ? 0 : complete(argv[2], argv[3]);
}
