/* keys.c - where a user's key and trusted keys are, and loading them. */
#include "remote/remote.h"

#include "gp/mem.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* <configuration directory>/fleetprobe/<name> if it can be read, else NULL; a fresh string. */
static char *usual_place(const char *name)
{
    const char *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    char *path = NULL;
    if (xdg && *xdg == '/')
        path = gp_asprintf("%s/fleetprobe/%s", xdg, name);
    else if (home && *home == '/')
        path = gp_asprintf("%s/.config/fleetprobe/%s", home, name);
    if (path && access(path, R_OK) != 0) {
        gp_free(path);
        path = NULL;
    }
    return path;
}

/* trusted_keys in the directory of the key file, if it can be read; a fresh string. */
static char *beside(const char *key)
{
    const char *slash = strrchr(key, '/');
    int dir = slash ? (int)(slash - key) + 1 : 0;
    char *path = gp_asprintf("%.*strusted_keys", dir, key);
    if (path && access(path, R_OK) != 0) {
        gp_free(path);
        path = NULL;
    }
    return path;
}

gp_status remote_keys_load(const char *key, const char *trust, remote_keys *out, gp_err *err)
{
    GP_CLEANUP(gp_freep) char *found_key = *key ? NULL : usual_place("user.key");
    if (!*key)
        key = found_key;
    GP_CLEANUP(gp_freep)
    char *found_trust = *trust ? NULL : key ? beside(key) : usual_place("trusted_keys");
    if (!*trust)
        trust = found_trust;
    if (key)
        GP_TRY(auth_identity_load(key, &out->identity, err));
    if (trust) {
        GP_TRY(auth_trust_new(&out->trust, err));
        GP_TRY(auth_trust_load(out->trust, trust, err));
    }
    return GP_OK;
}

void remote_keys_clear(remote_keys *k)
{
    auth_trust_free(k->trust);
    auth_identity_free(k->identity);
    *k = (remote_keys){0};
}
