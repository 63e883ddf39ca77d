/* beside_test.c - readers in other processes beside a writer that works on, through midnights,
 * months and a new directory name with every block: whatever was written before a reader began is
 * there, once and right, by rows, by totals and by directory name.
 */
#include "content.h"

#include "godb/index.h"
#include "godb/listing.h"
#include "gp/clock.h"

#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>

enum {
    FIRST_S = 1701388800 - 3 * 3600, /* 2023-11-30 21:00 UTC: a midnight and a month soon */
    STEP_S = 300,
    BLOCKS = 400, /* the second midnight too */
    READERS = 2,
    MIN_PASSES = 5, /* of each reader while the writer works */
    PATIENCE_MS = 60000
};

struct shared {
    atomic_int written; /* blocks that the writer has reported */
    atomic_int done;
    atomic_int passes[READERS];
    atomic_uint blocks_read, moved, failures;
    char text[300]; /* of the first failure */
};

static struct shared *sh;

static void complain(const char *fmt, ...) GP_PRINTF(1, 2);
static void complain(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    if (atomic_fetch_add(&sh->failures, 1) == 0)
        vsnprintf(sh->text, sizeof sh->text, fmt, ap);
    va_end(ap);
}

static int64_t time_of(int i)
{
    return FIRST_S + (int64_t)STEP_S * i;
}

/* ---- the writer: slow enough that the readers get through meanwhile ---- */

static int slowest_reader(void)
{
    int least = INT32_MAX;

    for (int i = 0; i < READERS; i++)
        if (atomic_load(&sh->passes[i]) < least)
            least = atomic_load(&sh->passes[i]);
    return least;
}

static void writer(const char *root)
{
    godb_writer_opts o = GODB_WRITER_OPTS_INIT;
    GP_CLEANUP(godb_sorter_freep) godb_sorter *s = NULL;
    GP_CLEANUP(godb_writer_closep) godb_writer *w = NULL;
    gp_err err = {0};
    int64_t start_ms = gp_mono_ms();

    if (godb_sorter_new(&s, NULL) != GP_OK || godb_writer_open(root, "eth0", &o, &w, &err) != GP_OK)
        complain("writer: %s", err.msg);
    for (int i = 0; w && i < BLOCKS; i++) {
        godb_rows rows = content_block(s, time_of(i));
        if (godb_writer_append(w, time_of(i), &rows, content_drops(time_of(i)), &err) != GP_OK) {
            complain("writer: %s", err.msg);
            break;
        }
        const char *note = godb_writer_note(w);
        if (note)
            complain("writer: %s", note);
        atomic_store(&sh->written, i + 1);
        while (slowest_reader() < i * MIN_PASSES / BLOCKS && gp_mono_ms() - start_ms < PATIENCE_MS)
            usleep(200);
    }
    atomic_store(&sh->done, 1);
}

/* ---- readers ---- */

struct reading {
    godb_db *db;
    godb_reader *r;
    godb_sorter *s;
    int next; /* block that must come now */
};

/* All blocks of a day in a row, by what its index says about their addresses as well. */
static void read_day(struct reading *x, const godb_day *d)
{
    const godb_index *ix = godb_day_index(d);

    for (size_t b = 0; b < godb_day_n_blocks(d); b++, x->next++) {
        const godb_block *blk = godb_day_block(d, b);
        godb_rows got, want;
        gp_err err = {0};

        if (blk->time_s != time_of(x->next)) {
            complain("block %d expected, got time %lld", x->next, (long long)blk->time_s);
            return;
        }
        if (godb_reader_rows(x->r, d, b, &got, &err) != GP_OK) {
            complain("block %d: %s", x->next, err.msg);
            continue;
        }
        want = content_block(x->s, blk->time_s);
        if (!content_equal(&got, &want) || blk->drops != content_drops(blk->time_s))
            complain("block %d has wrong rows", x->next);
        if (ix && want.n_v4 > 0) {
            gp_addr a = {.family = 4};
            memcpy(a.bytes, want.dip, 4);
            godb_index_key key = godb_index_key_of(GODB_COL_DIP, &a);
            if (!godb_index_may_have(ix, b, &key))
                complain("block %d: the index denies an address that it has", x->next);
        }
        atomic_fetch_add(&sh->blocks_read, 1);
    }
}

/* Everything by rows. with_pause: days are opened some blocks after they were listed, when most of
 * them have another name. */
static void by_rows(struct reading *x, int with_pause)
{
    godb_days days = {0};
    gp_err err = {0};
    int before = atomic_load(&sh->written);

    if (godb_db_days(x->db, "eth0", 0, INT64_MAX, &days, &err) != GP_OK)
        complain("%s", err.msg);
    if (days.skipped)
        complain("skipped: %s", days.skipped_text);
    while (with_pause && atomic_load(&sh->written) < before + 2 && !atomic_load(&sh->done))
        usleep(100);
    x->next = 0;
    for (size_t i = 0; i < days.n; i++) {
        GP_CLEANUP(godb_day_closep) godb_day *d = NULL;
        char path[512];
        snprintf(path, sizeof path, "%s/%s", godb_db_path(x->db), days.v[i].path);
        int moved = access(path, F_OK) != 0;
        gp_status st = godb_day_open(x->db, &days.v[i], &d, &err);
        if (st == GP_OK) {
            atomic_fetch_add(&sh->moved, (unsigned)moved);
            read_day(x, d);
        } else if (st != GP_ENOTFOUND || i + 1 < days.n) { /* a day being made is not there yet */
            complain("%s", err.msg);
        }
    }
    if (x->next < before)
        complain("%d blocks were written, %d seen", before, x->next);
    godb_days_free(&days);
}

/* Totals without reading rows: at least what was written before, at most what is there after. */
static void by_totals(struct reading *x)
{
    int before = atomic_load(&sh->written);
    godb_listing l = {0};
    gp_err err = {0};
    uint64_t least = 0, most = 0;

    if (godb_listing_get(x->db, "eth0", 0, INT64_MAX, &l, &err) != GP_OK)
        complain("listing: %s", err.msg);
    int after = atomic_load(&sh->written) + 1; /* committed, not yet reported */
    for (int i = 0; i < after; i++) {
        uint64_t drops = content_drops(time_of(i));
        least += i < before ? drops : 0;
        most += drops;
    }
    if (l.bad_days > 1 || l.strays)
        complain("listing: %u bad days, %s", l.bad_days, l.strays_text);
    /* The directory name is renamed behind the commit, so it may be one block late (5.4). */
    uint64_t late = before > 0 ? content_drops(time_of(before - 1)) : 0;
    if (l.totals.drops + late < least || l.totals.drops > most)
        complain("listing: %llu drops, between %llu and %llu are right",
                 (unsigned long long)l.totals.drops, (unsigned long long)least,
                 (unsigned long long)most);
}

static void reader(const char *root, int which)
{
    GP_CLEANUP(godb_db_closep) godb_db *db = NULL;
    GP_CLEANUP(godb_reader_freep) godb_reader *r = NULL;
    GP_CLEANUP(godb_sorter_freep) godb_sorter *s = NULL;

    if (godb_db_open(root, &db, NULL) != GP_OK || godb_reader_new(&r, NULL) != GP_OK ||
        godb_sorter_new(&s, NULL) != GP_OK)
        complain("reader: out of memory");
    struct reading x = {.db = db, .r = r, .s = s};
    for (int last = 0, k = which; !last; k++) {
        last = atomic_load(&sh->done);
        by_rows(&x, k % 2);
        by_totals(&x);
        atomic_fetch_add(&sh->passes[which], 1);
    }
    if (x.next != BLOCKS)
        complain("%d blocks at the end", x.next);
}

static void test_beside(void **state)
{
    (void)state;
    GP_CLEANUP(test_tmpdirp) char *root = test_tmpdir();
    pid_t pid[READERS + 1];

    sh = mmap(NULL, sizeof *sh, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(sh != MAP_FAILED);
    for (int i = 0; i < READERS + 1; i++) {
        pid[i] = fork();
        assert_true(pid[i] >= 0);
        if (pid[i] == 0) {
            if (i == READERS)
                writer(root);
            else
                reader(root, i);
            _exit(0);
        }
    }
    for (int i = 0; i < READERS + 1; i++) {
        int status = 0;
        assert_int_equal(waitpid(pid[i], &status, 0), pid[i]);
        if (status != 0)
            fail_msg("process %d ended with %d", i, status);
    }
    print_message("%u blocks read, %u days had another name by then\n",
                  atomic_load(&sh->blocks_read), atomic_load(&sh->moved));
    if (atomic_load(&sh->failures))
        fail_msg("%u failures, first: %s", atomic_load(&sh->failures), sh->text);
    assert_true(atomic_load(&sh->moved) > 0);
    munmap(sh, sizeof *sh);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_beside)};
    st_utc();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
