/* ifaces.c - interface names from the directories of a database (query.md 8.3). */
#include "completion.h"
#include "step.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

enum { MAX_IFACES = 10000 };

typedef struct names {
    const char **v; /* sorted; [n + i] is v[i] with an exclamation mark */
    size_t n;
} names;

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int is_dir(DIR *d, const struct dirent *e)
{
    struct stat st;
    if (e->d_type != DT_UNKNOWN && e->d_type != DT_LNK)
        return e->d_type == DT_DIR;
    return fstatat(dirfd(d), e->d_name, &st, 0) == 0 && S_ISDIR(st.st_mode);
}

/* What -i refuses (5.1), such as lost+found, is not offered either. */
static int may_be_named(const char *name)
{
    size_t n = 0;
    while (isalnum((unsigned char)name[n]) || (name[n] && strchr(".:_-", name[n])))
        n++;
    return !name[n] && n <= 15;
}

/* A root that cannot be read has no interfaces. */
static gp_status read_names(const char *root, gp_arena *arena, names *out, gp_err *err)
{
    DIR *d = opendir(root);
    gp_status st = GP_OK;
    out->v = gp_arena_alloc(arena, 2 * MAX_IFACES, sizeof *out->v);
    if (!out->v)
        st = gp_fail(err, GP_ENOMEM, 0, "out of memory");
    for (struct dirent *e; st == GP_OK && d && out->n < MAX_IFACES && (e = readdir(d));) {
        size_t len = strlen(e->d_name);
        if (e->d_name[0] == '.' || !may_be_named(e->d_name) || !is_dir(d, e))
            continue;
        char *name = gp_arena_alloc(arena, len + 2, 1);
        if (!name) {
            st = gp_fail(err, GP_ENOMEM, 0, "out of memory");
            break;
        }
        name[0] = '!';
        memcpy(name + 1, e->d_name, len + 1);
        out->v[out->n++] = name + 1;
    }
    if (d)
        closedir(d);
    if (st != GP_OK)
        return st;
    qsort(out->v, out->n, sizeof *out->v, by_name);
    for (size_t i = 0; i < out->n; i++)
        out->v[out->n + i] = out->v[i] - 1;
    return GP_OK;
}

static int is_used(const step_text *t, const char *name)
{
    for (size_t i = 0; i + 1 < t->n; i++)
        if (strcmp(t->token[i] + (t->token[i][0] == '!'), name) == 0)
            return 1;
    return 0;
}

static void suggest(void *ctx, const step_text *t, step_items *out)
{
    const names *n = ctx;
    const char *last = t->token[t->n - 1];
    for (size_t i = 0; i + 1 < t->n; i++)
        if (strcasecmp(t->token[i], "any") == 0)
            return;
    for (size_t i = 0; i < n->n; i++)
        if (!is_used(t, n->v[i]))
            step_offer(out, n->v[(*last == '!' ? n->n : 0) + i], NULL, 1);
    if (t->n == 1 && strncasecmp("any", last, strlen(last)) == 0) {
        out->prefix = ""; /* upper and lower case are the same here */
        step_offer(out, "ANY", "ANY (query all interfaces)", 1);
    }
}

gp_status complete_ifaces(const char *root, const char *text, gp_arena *arena, gp_buf *out,
                          gp_err *err)
{
    names n = {0};
    step_text t;
    if (!root || !*root)
        return GP_OK;
    GP_TRY(read_names(root, arena, &n, err));
    GP_TRY(complete_split(text, ',', arena, &t, err));
    return step_complete(&t, ",", suggest, &n, arena, out, err);
}
