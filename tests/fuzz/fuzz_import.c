/* fuzz_import.c - a whole import of foreign bytes, plain or compressed: no crash, and the database
 * that results can be read completely.
 */
#include "godb/day.h"
#include "godb/import.h"
#include "gp/mem.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int truth)
{
    if (!truth)
        abort();
}

static int rm_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static void read_iface(const godb_db *db, godb_reader *r, const char *iface, uint64_t *rows)
{
    godb_days days = {0};

    require(godb_db_days(db, iface, 0, INT64_MAX, &days, NULL) == GP_OK);
    require(days.skipped == 0);
    for (size_t i = 0; i < days.n; i++) {
        godb_day *d = NULL;
        require(godb_day_open(db, &days.v[i], &d, NULL) == GP_OK);
        for (size_t k = 0; k < godb_day_n_blocks(d); k++) {
            godb_rows rows_k;
            require(godb_reader_rows(r, d, k, &rows_k, NULL) == GP_OK);
            *rows += rows_k.n_v4 + rows_k.n_v6;
        }
        godb_day_close(d);
    }
    godb_days_free(&days);
}

static uint64_t read_back(const char *root)
{
    godb_db *db = NULL;
    godb_reader *r = NULL;
    char **names = NULL;
    size_t n = 0;
    uint64_t rows = 0;

    if (godb_db_open(root, &db, NULL) != GP_OK)
        return 0;
    require(godb_reader_new(&r, NULL) == GP_OK);
    require(godb_db_ifaces(db, &names, &n, NULL) == GP_OK);
    for (size_t i = 0; i < n; i++)
        read_iface(db, r, names[i], &rows);
    godb_strv_free(names);
    godb_reader_free(r);
    godb_db_close(db);
    return rows;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char root[] = "/dev/shm/fuzz-import-XXXXXX";
    godb_import_opts o = GODB_IMPORT_OPTS_INIT;
    godb_import_stats st;
    gp_err err = {0};

    if (size > 16384 || !mkdtemp(root))
        return 0;
    int fd = memfd_create("csv", MFD_CLOEXEC);
    require(fd >= 0 && write(fd, data, size) == (ssize_t)size && lseek(fd, 0, SEEK_SET) == 0);
    o.threads = 1;
    o.writer.sync = GODB_SYNC_NONE;
    o.writer.no_index = 1;
    o.iface = size % 2 ? "eth0" : NULL;
    gp_status rc = godb_import(root, fd, "in", &o, &st, &err);
    require(rc == GP_OK || err.msg[0] != '\0');
    uint64_t rows = read_back(root);
    require(rows <= st.rows_imported);
    require((rows > 0) == (st.rows_imported > 0));
    close(fd);
    (void)nftw(root, rm_one, 16, FTW_DEPTH | FTW_PHYS);
    return 0;
}
