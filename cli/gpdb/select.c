/* select.c - which database, interfaces and times; how to write. */
#include "gpdb.h"

#include "godb/codec.h"
#include "gp/mem.h"
#include "gp/num.h"
#include "query/ifsel.h"
#include "query/timearg.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

const char *gpdb_take_db(const gpdb_opts *o, const cli_line *line, const char *const **words,
                         size_t *n)
{
    *words = line->words;
    *n = line->n_words;
    if (o->db_path && *o->db_path)
        return o->db_path;
    if (*n == 0) {
        (void)gpdb_usage(line, "which database? Give its directory as the first word or with -d");
        return NULL;
    }
    (*words)++;
    (*n)--;
    return line->words[0];
}

void gpdb_ifaces_free(gpdb_ifaces *f)
{
    godb_strv_free(f->all);
    gp_free(f->v);
    *f = (gpdb_ifaces){0};
}

/* Every plain name of the list has to exist, so that a typing error does not pass for "no data". */
static gp_status check_names(const char *list, char *const *all, size_t n_all, const char *path,
                             gp_err *err)
{
    if (strchr(list, '/')) /* a regular expression */
        return GP_OK;
    while (*list) {
        size_t n = strcspn(list, ",");
        const char *s = list;
        list += n + (list[n] == ',');
        while (n > 0 && *s == ' ') {
            s++;
            n--;
        }
        while (n > 0 && s[n - 1] == ' ')
            n--;
        int found = n == 0 || *s == '!' || (n == 3 && strncasecmp(s, "any", 3) == 0);
        for (size_t i = 0; i < n_all && !found; i++)
            found = strlen(all[i]) == n && memcmp(all[i], s, n) == 0;
        if (!found)
            return gp_fail(err, GP_ENOTFOUND, 0, "no interface '%.*s' in %s", (int)n, s, path);
    }
    return GP_OK;
}

gp_status gpdb_ifaces_select(const gpdb_opts *o, const char *path, gpdb_ifaces *out, gp_err *err)
{
    GP_CLEANUP(godb_db_closep) godb_db *db = NULL;
    query_ifsel *sel = NULL;
    size_t n_all = 0;

    if (!o->ifaces || !*o->ifaces)
        return GP_OK;
    GP_TRY(godb_db_open(path, &db, err));
    GP_TRY(godb_db_ifaces(db, &out->all, &n_all, err));
    GP_TRY(check_names(o->ifaces, out->all, n_all, path, err));
    GP_TRY(query_ifsel_parse(o->ifaces, &sel, err));
    if (!query_ifsel_is_regex(sel) && query_ifsel_n_positive(sel) == 0) { /* only exclusions */
        query_ifsel_free(sel);
        sel = NULL;
        GP_CLEANUP(gp_freep) char *text = gp_asprintf("any,%s", o->ifaces);
        if (!text)
            return gp_fail(err, GP_ENOMEM, 0, "out of memory");
        GP_TRY(query_ifsel_parse(text, &sel, err));
    }
    const char **v = NULL;
    gp_status st = query_ifsel_select(sel, out->all, n_all, &v, &out->n, err);
    query_ifsel_free(sel);
    if (st == GP_OK && out->n == 0)
        st = gp_fail(err, GP_ENOTFOUND, 0, "no interface of %s matches '%s'", path, o->ifaces);
    if (st == GP_OK) { /* NULL-ended, which the selection is not */
        out->v = gp_calloc(out->n + 1, sizeof *out->v);
        if (out->v)
            memcpy(out->v, v, out->n * sizeof *v);
        else
            st = gp_fail(err, GP_ENOMEM, 0, "out of memory");
    }
    gp_free(v);
    return st;
}

gp_status gpdb_range(const gpdb_opts *o, int64_t *first_s, int64_t *last_s, gp_err *err)
{
    int64_t now = gp_wall_s();

    *first_s = 0;
    *last_s = INT64_MAX;
    if (o->first && *o->first)
        GP_TRY(query_time_parse(o->first, now, first_s, err));
    if (o->last && *o->last)
        GP_TRY(query_time_parse(o->last, now, last_s, err));
    if (*first_s > *last_s)
        return gp_fail(err, GP_EINVAL, 0, "--first %s is later than --last %s", o->first, o->last);
    return GP_OK;
}

static gp_status parse_codec(const char *text, uint8_t *out, gp_err *err)
{
    uint64_t id;
    int named = godb_codec_by_name(text);

    if (!*text)
        return GP_OK;
    if (gp_num_u64(text, strlen(text), 3, &id))
        named = (int)id;
    if (named < 0)
        return gp_fail(err, GP_EINVAL, 0, "unknown codec '%s': expected lz4, zstd, null or 0 to 3",
                       text);
    *out = (uint8_t)named;
    return GP_OK;
}

gp_status gpdb_writer_opts(const gpdb_opts *o, godb_writer_opts *out, gp_err *err)
{
    static const struct {
        const char *name;
        godb_sync sync;
    } syncs[] = {{"block", GODB_SYNC_BLOCK}, {"day", GODB_SYNC_DAY}, {"none", GODB_SYNC_NONE}};
    int64_t mode = 0;

    if (o->codec)
        GP_TRY(parse_codec(o->codec, &out->codec, err));
    if (o->level < 0 || o->level > 22)
        return gp_fail(err, GP_EINVAL, 0, "--level %lld: expected 0 (default) to 22",
                       (long long)o->level);
    out->level = (int)o->level;
    if (o->mode && *o->mode &&
        (!gp_num_i64_prefixed(o->mode, strlen(o->mode), &mode) || mode < 0 || mode > 07777))
        return gp_fail(err, GP_EINVAL, 0, "--mode %s: expected file permissions such as 0644",
                       o->mode);
    out->mode = (mode_t)mode;
    out->no_index = o->no_index;
    if (!o->sync || !*o->sync)
        return GP_OK;
    for (size_t i = 0; i < GP_COUNT(syncs); i++)
        if (strcmp(o->sync, syncs[i].name) == 0) {
            out->sync = syncs[i].sync;
            return GP_OK;
        }
    return gp_fail(err, GP_EINVAL, 0, "--sync %s: expected block, day or none", o->sync);
}

char *gpdb_day_text(int64_t day_s, char *buf, size_t cap)
{
    struct tm tm;
    time_t t = (time_t)day_s;

    if (!gmtime_r(&t, &tm) || strftime(buf, cap, "%Y-%m-%d", &tm) == 0)
        (void)snprintf(buf, cap, "%lld", (long long)day_s);
    return buf;
}

int gpdb_day_parse(const char *text, int64_t *day_s)
{
    struct tm tm = {0};
    uint64_t v;

    if (gp_num_u64(text, strlen(text), INT64_MAX, &v)) {
        *day_s = (int64_t)v / GODB_DAY_S * GODB_DAY_S;
        return 1;
    }
    const char *end = strptime(text, "%Y-%m-%d", &tm);
    if (!end || *end)
        return 0;
    time_t t = timegm(&tm);
    if (t < 0)
        return 0;
    *day_s = (int64_t)t;
    return 1;
}
