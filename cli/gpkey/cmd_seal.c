/* cmd_seal.c - gpkey seal, unseal: put a key file under a pass phrase, and take it off. */
#include "auth/seal.h"
#include "gpkey.h"

#include <stdio.h>

static const char *const USAGE[] = {"KEYFILE...", NULL};

static gp_status rewrite(const char *path, int sealed, gp_err *err)
{
    auth_identity *id = NULL;
    char *pass = NULL;
    GP_TRY(auth_identity_load(path, &id, err));
    gp_status st = sealed ? auth_pass_get(path, 1, &pass, err) : GP_OK;
    if (st == GP_OK)
        st = auth_identity_write(id, path, 1, pass, NULL, err);
    auth_pass_free(pass);
    auth_identity_free(id);
    return st;
}

static int run(const void *values, const cli_line *line, int sealed)
{
    const gpkey_values *v = values;
    if (!line->n_words)
        return gpkey_usage(line, "%s: expected key files", line->cmd->name);
    for (size_t i = 0; i < line->n_words; i++) {
        gp_err err = {0};
        if (rewrite(line->words[i], sealed, &err) != GP_OK)
            return gpkey_fail(&err);
        if (!v->quiet)
            printf("%s  %s\n", line->words[i], sealed ? "sealed" : "not sealed any more");
    }
    return 0;
}

static int seal(void *values, const cli_line *line)
{
    return run(values, line, 1);
}

static int unseal(void *values, const cli_line *line)
{
    return run(values, line, 0);
}

const cli_cmd gpkey_seal = {
    .name = "seal",
    .usage = USAGE,
    .summary = "Put a key file under a pass phrase",
    .about =
        "Encrypt the secret in a key file with a pass phrase (Argon2id, 256 MiB; XChaCha20-\n"
        "Poly1305), in place. Programs that load it ask on the terminal, or read a line from the\n"
        "descriptor in FLEETPROBE_PASSPHRASE_FD or the file in FLEETPROBE_PASSPHRASE_FILE. To\n"
        "change a pass phrase, unseal and seal. Copies of the old file, such as backups and free\n"
        "blocks of the disk, stay what they were: new, init and issue take --seal to begin "
        "with.\n\n"
        "Examples:\n"
        "  gpkey seal alice.key\n"
        "  FLEETPROBE_PASSPHRASE_FD=3 goquery --identity.key alice.key -i any sip 3<pass",
    .run = seal,
};

const cli_cmd gpkey_unseal = {
    .name = "unseal",
    .usage = USAGE,
    .summary = "Take the pass phrase off a key file",
    .about = "Write the secret of a sealed key file in clear, in place, mode 0600.\n\n"
             "Example:\n"
             "  gpkey unseal alice.key",
    .run = unseal,
};
