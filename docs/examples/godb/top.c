/* top.c - libgodb in forty lines: write a block, walk through the blocks, ask for top talkers. */
#include <godb/godb.h>
#include <stdio.h>

static gp_status run(const char *root, gp_err *err)
{
    GP_CLEANUP(godb_writer_closep) godb_writer *writer = NULL;
    GP_CLEANUP(godb_sorter_freep) godb_sorter *sorter = NULL;
    GP_CLEANUP(godb_db_closep) godb_db *db = NULL;
    GP_CLEANUP(godb_days_free) godb_days days = {0};
    GP_CLEANUP(result_clear) result top = {0};
    godb_rows rows;

    GP_TRY(godb_writer_open(root, "eth0", NULL, &writer, err));
    GP_TRY(godb_sorter_new(&sorter, err));
    for (uint8_t i = 1; i <= 9; i++) {
        const godb_row row = {4, 6, 443, {10, 0, 0, i}, {0}, {1000u * i, 60, 4, 1}};
        GP_TRY(godb_sorter_add(sorter, &row));
    }
    GP_TRY(godb_sorter_finish(sorter, 0, &rows, err));
    GP_TRY(godb_writer_append(writer, gp_wall_s(), &rows, 0, err));
    GP_TRY(godb_db_open(root, &db, err));
    GP_TRY(godb_db_days(db, "eth0", 0, INT64_MAX, &days, err));
    for (size_t i = 0; i < days.n; i++) {
        GP_CLEANUP(godb_day_closep) godb_day *day = NULL;
        GP_TRY(godb_day_open(db, &days.v[i], &day, err));
        for (size_t k = 0; k < godb_day_n_blocks(day); k++)
            printf("block of %u rows\n", godb_day_block(day, k)->n_v4);
    }
    GP_TRY(
        godb_query(db, "sip", &(godb_query_opts){.condition = "dport=443", .limit = 3}, &top, err));
    for (size_t i = 0; i < top.n_rows; i++)
        printf("10.0.0.%u received %llu bytes\n", godb_row_sip(&top.rows[i]).bytes[3],
               (unsigned long long)top.rows[i].c.bytes_rcvd);
    return GP_OK;
}

int main(int argc, char **argv)
{
    gp_err err = {0};
    if (run(argc > 1 ? argv[1] : "flows", &err) != GP_OK)
        fprintf(stderr, "top: %s\n", err.msg);
    return err.code != GP_OK;
}
