#!/usr/bin/env python3
"""images_test.py SOURCE_DIR BIN_DIR - deploy/docker against the real programs.

No container engine is needed: stages, libraries, users, ports, volumes and commands are held against each other and
against the binaries; keys are made by the script that the images run, and every configuration passes --check-config.
docker-compose (Debian) and dockerfile-utils (npm, DEPLOY_LINT=directory of node_modules) are asked where they are.
"""
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

try:
    import yaml
except ImportError:
    print("skipped: python3-yaml is missing")
    sys.exit(77)

from kit import write

SRC, BIN = sys.argv[1:3]
DIR = SRC + "/deploy/docker/"
SHIPPED = {"agent": "goprobe", "aggregator": "global-query"}


def out(*cmd, **kw):
    return subprocess.run(cmd, capture_output=True, text=True, check=True, **kw).stdout


def dockerfile():
    """{stage: [(instruction, rest)]}, what a stage inherits first."""
    with open(DIR + "Dockerfile") as f:
        text = re.sub(r"^#.*\n", "", f.read(), flags=re.M).replace("\\\n", " ")
    stages, name = {}, None
    for line in filter(None, map(str.strip, text.split("\n"))):
        word, rest = line.split(None, 1)
        if word == "FROM":
            base, _, name = re.match(r"(\S+)( AS (\S+))?$", rest).groups()
            assert base in stages or base == "debian:bookworm-slim", base
            stages[name] = list(stages.get(base, []))
        else:
            stages[name].append((word, rest))
    return stages


def last(stage, word):
    return [r for w, r in stage if w == word][-1]


def check_copies(stages):
    for name, stage in stages.items():
        for rest in (r for w, r in stage if w == "COPY"):
            words = rest.split()
            flags = [w for w in words if w.startswith("--")]
            for path in words[len(flags):-1]:
                if "--from=build" in flags:
                    assert path.startswith("/src/build/bin/"), (name, path)
                    path = BIN + path[len("/src/build/bin"):]
                else:
                    path = os.path.join(SRC, path)
                assert os.path.exists(path), "%s: COPY of what is not there: %s" % (name, path)


def check_packages(name, stage):
    """The packages of a stage are those of the libraries that its programs need; no more."""
    programs = [w for i, r in stage if i == "COPY" for w in r.split() if w.startswith("/src/build/bin/")]
    files = set()
    for binary in (BIN + "/" + os.path.basename(p) for p in programs):
        needed = re.findall(r"NEEDED +(\S+)", out("objdump", "-p", binary))
        found = dict(re.findall(r"(\S+) => (\S+)", out("ldd", binary)))
        files |= {"*/" + os.path.basename(os.path.realpath(found[n])) for n in needed
                  if n in found and not re.match(r"lib[cm]\.so|ld-linux", n)}
    want = {line.split(":")[0] for line in out("dpkg", "-S", *files).splitlines()}
    have = re.search(r"--no-install-recommends (.*?) &&", [r for i, r in stage if "apt-get" in r][-1])[1].split()
    extra = {"libcap2-bin"} if any("setcap" in r for _, r in stage) else set()
    assert set(have) == want | extra, "%s: packages %s, needed %s" % (name, set(have) - want, want - set(have))
    assert have == sorted(have), name + ": packages in order"


def check_stage(name, stage):
    check_packages(name, stage)
    assert last(stage, "USER") == "8145:8145", name
    assert any("--uid 8145 --gid 8145" in r for _, r in stage), name
    if name not in SHIPPED:
        return
    cmd = yaml.safe_load(last(stage, "ENTRYPOINT")) + yaml.safe_load(last(stage, "CMD"))
    assert cmd[0] == "/usr/bin/" + SHIPPED[name], cmd
    assert last(stage, "ENV") == "STATE_DIRECTORY=" + last(stage, "VOLUME"), name + ": what is renewed is kept"
    port = re.search(r'"healthcheck", "(\d+)"', last(stage, "HEALTHCHECK"))[1]
    assert port in last(stage, "EXPOSE").split(), name + ": port of the health check"


def check_compose(c, stages):
    used = {v.split(":")[0] for s in c["services"].values() for v in s.get("volumes", []) if v[0] != "."}
    assert used == set(c["volumes"]), "volumes: %s" % (used ^ set(c["volumes"]))
    for name, s in c["services"].items():
        assert "build" not in s or s["build"]["target"] in stages, name
        assert set(s.get("depends_on", {})) <= set(c["services"]), name
        assert s["cap_drop"] == ["ALL"], name
        assert "user" not in s or name == "keys", name
        state = [r.split("=")[1] for w, r in stages[s["build"]["target"]] if w == "ENV" and "STATE" in r] if "build" in s else []
        assert all(any(v.endswith(":" + d) for v in s["volumes"]) for d in state), "%s: %s on no volume" % (name, state)
        agent = s["image"] == "fleetprobe-agent"
        assert ("no-new-privileges:true" in s.get("security_opt", [])) == (not agent), name
        assert s.get("cap_add") == (["NET_RAW"] if agent else ["CHOWN", "DAC_OVERRIDE"] if name == "keys" else None)


def make_keys(tmp, command):
    env = {**os.environ, "PATH": BIN + ":" + os.environ["PATH"]}
    run = ["sh", DIR + "make-keys.sh", tmp + "/keys", *command[2:]]
    out(*run, env=env)
    first = out("find", tmp, "-type", "f", "-exec", "sha256sum", "{}", "+")
    out(*run, env=env)
    assert first == out("find", tmp, "-type", "f", "-exec", "sha256sum", "{}", "+"), "a second run changed something"
    out(*run, "late", env=env)
    assert os.path.exists(tmp + "/keys/late/agent.key")
    hub = "%s/keys/%s/" % (tmp, command[2])
    out(*run, env={**env, "ISSUER": "1", "OWNER": "8145:8145"} if os.getuid() == 0 else {**env, "ISSUER": "1"})
    assert "may sign    agent\n  may sign    aggregator" in out(BIN + "/gpkey", "show", hub + "issuer.crt")
    assert os.getuid() != 0 or {os.stat(hub + f).st_uid for f in os.listdir(hub)} == {8145}, "keys are handed over"


def mounted(volumes, tmp):
    """{path in the container: what is there} for what a service mounts."""
    where = {}
    for v in volumes:
        source, target = v.split(":")[:2]
        where[target] = os.path.join(DIR, source) if source[0] == "." else \
            "%s/keys/%s" % (tmp, source[:-5]) if source.endswith("-keys") else "%s/%s" % (tmp, source)
    return where


def translate(text, where):
    """A configuration with the paths of this machine; a path that nothing is mounted at is an error."""
    for path in sorted(set(re.findall(r"(?:/etc|/var/lib|/run)/fleetprobe[\w./-]*", text)), key=len, reverse=True):
        at = [t for t in where if path == t or path.startswith(t + "/")]
        assert at, "%s is not on any volume" % path
        text = text.replace(path, where[at[0]] + path[len(at[0]):])
    return text


def check_configs(tmp, c, stages):
    for name, s in c["services"].items():
        if s["image"] not in ("fleetprobe-agent", "fleetprobe-aggregator"):
            continue
        stage = stages[s["build"]["target"]]
        where = mounted(s["volumes"], tmp)
        cmd = yaml.safe_load(last(stage, "ENTRYPOINT")) + yaml.safe_load(last(stage, "CMD"))
        with open(where[cmd[-1]]) as f:
            text = f.read()
        config = tmp + "/" + name + ".yaml"
        write(config, translate(text, where))
        p = subprocess.run([BIN + "/" + os.path.basename(cmd[0]), *cmd[1:-1], config, "--check-config"],
                           capture_output=True, text=True, check=False)
        said = p.stdout + p.stderr
        assert p.returncode == 0 and "fine" in said and "warn" not in said and "unknown" not in said, name + ": " + said
        port = re.search(r'"healthcheck", "(\d+)"', last(stage, "HEALTHCHECK"))[1]
        configured = re.search(r"127\.0\.0\.1:(\d+)", text)[1] if name == "hub" else \
            re.search(r"default\s+127\.0\.0\.1:(\d+)", out(BIN + "/goprobe", "--help"), re.S)[1]
        assert port == configured, "%s: health check asks port %s, metrics are on %s" % (name, port, configured)
        listens = re.search(r"0\.0\.0\.0:(\d+)", text)[1]
        assert listens in last(stage, "EXPOSE").split(), "%s: port %s" % (name, listens)
        for p in s.get("ports", []):
            assert p.split(":")[-1] == listens, p
    with open(DIR + "endpoints.yaml") as f:
        for host, e in yaml.safe_load(f).items():
            name, port = e["addr"].split(":")
            assert name == host and c["services"][name]["image"] == "fleetprobe-agent" and port == "8145", host


def check_commands(c):
    """The commands that compose.yaml tells its readers."""
    with open(DIR + "compose.yaml") as f:
        text = f.read()
    for line in re.findall(r"^#   docker compose .*? (goquery .*)$", text, re.M):
        words = shlex.split(line)
        known = out(BIN + "/goquery", "--help")
        for w in (w for w in words if w.startswith("-")):
            assert re.search(r"(^|\s)%s[,\s]" % re.escape(w), known), "%s: no flag %s" % (line, w)
        server = words[words.index("--query.server.addr") + 1].split(":")
        assert server[0] in c["services"] and server[1] == "8146", line


def in_chroots(stages):
    """With DEPLOY_CHROOT=a minimal Debian (debootstrap --variant=minbase bookworm): make each image's tree there with
    the programs of BIN_DIR, by the instructions of its stage, and run its programs as its user."""
    base = os.environ.get("DEPLOY_CHROOT")
    for name, stage in stages.items() if base else ():
        if name in ("build", "runtime"):
            continue
        with tempfile.TemporaryDirectory() as root:
            out("cp", "-a", base + "/.", root)
            shutil.copy("/etc/resolv.conf", root + "/etc/resolv.conf")
            for word, rest in stage:
                if word == "RUN":
                    out("chroot", root, "sh", "-ec", "export DEBIAN_FRONTEND=noninteractive; " + rest)
                elif word == "COPY":
                    copy_in(root, rest.split())
            user = ["chroot", "--userspec=" + last(stage, "USER"), "--groups=", root]
            for program in ("goprobe", "global-query", "goquery", "gpctl", "gpdb", "gpkey"):
                if os.path.exists("%s/usr/bin/%s" % (root, program)):
                    assert "Usage" in out(*user, "/usr/bin/" + program, "--help"), program
            assert out(*user, "sh", "-c", "id -un; touch /run/fleetprobe/x; ls -A /var/lib/apt/lists") == "fleetprobe\n"
            if name == "agent":
                assert out("getcap", root + "/usr/bin/goprobe").endswith("cap_net_raw=ep\n")
            size = int(out("du", "-sm", root).split()[0]) - int(out("du", "-sm", base).split()[0])
            print("%s: %d MB on top of Debian" % (name, size))


def copy_in(root, words):
    flags = [w for w in words if w.startswith("--")]
    paths = [p.replace("/src/build/bin", BIN) if "--from=build" in flags else os.path.join(SRC, p)
             for p in words[len(flags):-1]]
    for p in paths:
        target = root + words[-1] + (os.path.basename(p) if words[-1].endswith("/") else "")
        shutil.copy(p, target)
        for mode in (f[8:] for f in flags if f.startswith("--chmod=")):
            os.chmod(target, int(mode, 8))


def other_tools():
    if shutil.which("docker-compose"):
        out("docker-compose", "-f", DIR + "compose.yaml", "config", "-q")
    else:
        print("docker-compose is missing: compose.yaml is not checked by it")
    lint = os.environ.get("DEPLOY_LINT")
    if lint:
        p = subprocess.run([lint + "/.bin/dockerfile-utils", "lint", DIR + "Dockerfile"], capture_output=True, text=True,
                           check=False)
        assert p.returncode == 0 and not p.stdout.strip(), p.stdout + p.stderr


def main():
    stages = dockerfile()
    with open(DIR + "compose.yaml") as f:
        compose = yaml.safe_load(f)
    check_copies(stages)
    for name in ("agent", "aggregator", "tools"):
        check_stage(name, stages[name])
    check_compose(compose, stages)
    check_commands(compose)
    tmp = tempfile.mkdtemp()
    try:
        make_keys(tmp, compose["services"]["keys"]["command"])
        check_configs(tmp, compose, stages)
    finally:
        shutil.rmtree(tmp)
    in_chroots(stages)
    other_tools()
    print("1 passed, 0 failed")


main()
