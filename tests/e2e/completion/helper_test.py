"""helper_test.py - goquery_completion: cases K01 to K29 of query-cases.md, and what they leave open."""
import os
import subprocess
import tempfile
import unittest

HELPER = os.path.join(os.environ["BIN_DIR"], "goquery_completion")
MORE = " ...   "
STARTS = ["!", "(", "dip", "sip", "dnet", "snet", "dst", "src", "host", "net", "dport", "port", "proto",
          "dir", "direction"]
DIRECTIONS = ["in", "out", "uni", "bi", "inbound", "outbound", "unidirectional", "bidirectional"]
NO_HELP = " (I can't help you)"


def more(prefix, words):
    return [prefix + w + MORE for w in words]


class Helper(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.tmp = tempfile.TemporaryDirectory(prefix="fleetprobe-e2e-")
        for name in ("eth0", "eth1", "eth2", "tun0", ".hidden", "lost+found", "two words", "longer-than-15-ch"):
            os.makedirs(os.path.join(cls.tmp.name, "db", name))
        with open(os.path.join(cls.tmp.name, "db", "efile"), "w", encoding="utf-8"):
            pass

    @classmethod
    def tearDownClass(cls):
        cls.tmp.cleanup()

    def run_helper(self, *args, **env):
        return subprocess.run([HELPER, *args], capture_output=True, text=True, cwd=self.tmp.name,
                              env={**os.environ, **env}, timeout=20, check=False)

    def got(self, line, **env):
        p = self.run_helper("bash", str(len(line.encode())), line, **env)
        self.assertEqual((p.returncode, p.stderr), (0, ""), line)
        return sorted(p.stdout.split("\n")[:-1])

    def check(self, line, want, **env):
        self.assertEqual(self.got(line, **env), sorted(want), line)

    def test_query_types(self):
        self.check("goquery s", ["sip", "sip,time", "sip,iface", "sip,dip", "sip,dport", "sip,proto"])  # K01
        self.check("goquery talk", ["talk_conv", "talk_src", "talk_dst"])  # K02
        self.check("goquery raw", ["raw"])  # K03
        self.check("goquery talk_conv,", [])  # K04
        self.check("goquery sip,d", ["sip,dip", "sip,dport"])  # K05
        self.check("goquery src,s", [])
        self.check("goquery dst,di", [])
        self.check("goquery nonsense,", [])
        self.check("goquery time,iface,sip,dip,d",
                   ["time,iface,sip,dip,dport", "time,iface,sip,dip,dport,proto"])
        self.check("goquery ", ["time", "iface", "sip", "dip", "dport", "proto", "talk_conv", "talk_src",
                                "talk_dst", "apps_port", "agg_talk_port", "raw"])
        self.check("goquery --sum ra", ["raw"])
        self.check("goquery", [])

    def test_values(self):
        self.check("goquery -e j", ["json"])  # K06
        self.check("goquery -e c", ["csv"])
        self.check("goquery -s ", ["bytes", "packets", "time"])  # K07
        self.check("goquery --sort.by p", ["packets"])
        self.check("goquery --sort.by=p", ["packets"])
        for flag in ("-n", "-d", "-f", "-l", "-h", "--help", "-resolve-rows", "-resolve-timeout", "-q"):
            self.check("goquery %s " % flag, [])  # K08

    def test_ifaces(self):
        self.check("goquery -d db -i e", ["eth0", "eth1", "eth2"])  # K09
        self.check("goquery -d db -i eth0,", ["eth0,eth1", "eth0,eth2", "eth0,tun0"])  # K10
        self.check("goquery -d db -i an", ["ANY"])  # K11
        self.check("goquery -d db -i any,", [])  # K12
        self.check("goquery -i ", [])  # K13
        self.check("goquery -d db -i ", ["eth0", "eth1", "eth2", "tun0", "ANY (query all interfaces)"])
        self.check("goquery -d db -i t", ["tun0", "tun0,eth0", "tun0,eth1", "tun0,eth2"])
        self.check("goquery -d nosuch -d db -i t", ["tun0", "tun0,eth0", "tun0,eth1", "tun0,eth2"])
        self.check("goquery -d nosuch -i ", ["ANY"])
        self.check("goquery --db.path=db --ifaces=eth0,eth1,eth2,t", ["eth0,eth1,eth2,tun0"])
        self.check("goquery -d ~/db -i eth0,!e", ["eth0,!eth1", "eth0,!eth2"], HOME=self.tmp.name)

    def test_condition(self):
        self.check("goquery -c 'sip", more("sip ", ["=", "!="]))  # K14
        self.check("goquery -c 'sip = ", ["sip = ", NO_HELP])  # K15
        self.check("goquery -c 'sip = 1.2.3.4 ", more("sip = 1.2.3.4 ", "&|"))  # K16
        self.check("goquery -c '(sip = 1.2.3.4 ",
                   ["( sip = 1.2.3.4 )"] + more("( sip = 1.2.3.4 ", "&|"))  # K17
        self.check("goquery -c '!", more("! ", [s for s in STARTS if s not in ("!", "dir", "direction")]))  # K23
        self.check("goquery -c ", more("", STARTS))  # K24
        self.check('goquery -c "', more("", STARTS))
        self.check("goquery --condition=", more("", STARTS))
        self.check('goquery -c "dport"', [])  # K25
        self.check("goquery -c 'dport <", more("dport ", ["<", "<="]))
        self.check("goquery -c 'port ", more("port ", ["=", "!=", "<", ">", "<=", ">="]))
        self.check("goquery -c 'host ", more("host ", ["=", "!="]))
        self.check("goquery -c 'SIP eq 10.0.0.1 and ho", more("sip = 10.0.0.1 & host ", ["=", "!="]))
        self.check("goquery -c '((sip = 1.2.3.4) ", more("( ( sip = 1.2.3.4 ) ", "&|")
                   + ["( ( sip = 1.2.3.4 ) )"])
        self.check("goquery -c '((sip = 1.2.3.4 ", more("( ( sip = 1.2.3.4 ", "&|)"))
        self.check("goquery -c 'nonsense ", [])

    def test_protocols(self):
        self.check("goquery -c 'proto = tc", ["proto = tcf", "proto = tcp"])
        self.check("goquery -c 'proto = udpl",
                   ["proto = udplite"] + more("proto = udplite ", "&|"))
        self.check("goquery -c '(proto = udpl",
                   ["( proto = udplite )"] + more("( proto = udplite ", "&|"))
        self.check("goquery -c '(proto = tc", more("( proto = ", ["tcf", "tcp"]))
        self.assertEqual(len(self.got("goquery -c 'proto = ")), 139)

    def test_direction(self):
        self.check("goquery -c 'dir = in", ["dir = in", "dir = inbound"])  # K18
        self.check("goquery -c 'dire", ["direction = " + d for d in DIRECTIONS])  # K19
        self.check("goquery -c 'sip = 1.2.3.4 & dir = inb", ["sip = 1.2.3.4 & dir = inbound"])  # K20
        self.check("goquery -c 'sip = 1.2.3.4 & dir = inbound", [""])  # K21
        self.check("goquery -c 'sip = 1.2.3.4 & dir = inbound ", [""])
        self.check("goquery -c 'sip = 1.2.3.4 | dir ", ["sip = 1.2.3.4 | dir ", NO_HELP])  # K22
        self.check("goquery -c 'sip = 1.2.3.4 & di", more("sip = 1.2.3.4 & ", ["dip", "dir", "direction"]))
        self.check("goquery -c 'sip = 1.2.3.4 | di", more("sip = 1.2.3.4 | dip ", ["=", "!="]))
        self.check("goquery -c 'sip = 1.2.3.4 & dport = 1 & di",
                   more("sip = 1.2.3.4 & dport = 1 & dip ", ["=", "!="]))
        self.check("goquery -c 'dir = out ", more("dir = out & ", [s for s in STARTS if s[:3] != "dir"]))
        self.check("goquery -c 'dir = out & sip = 1.2.3.4", [""])
        self.check("goquery -c 'dir = out & sip = 1.2.3.4 & ", ["dir = out & sip = 1.2.3.4 & ", NO_HELP])
        self.check("goquery -c 'dir = out & proto = tc", ["dir = out & proto = tcf", "dir = out & proto = tcp"])
        self.check("goquery -c 'dir = out & proto = tcp", [""])
        self.check("goquery -c 'dir = out & (sip = 1.2.3.4 ",
                   ["dir = out & ( sip = 1.2.3.4 )"] + more("dir = out & ( sip = 1.2.3.4 ", "&|"))
        self.check("goquery -c 'dir = out & (sip = 1.2.3.4)", [""])
        self.check("goquery -c '(sip = 1.2.3.4 | dport = 2) & dir = bi", [""])
        self.check("goquery -c '(dir = in ", ["( dir = in ", NO_HELP])
        self.check("goquery -c 'dir = in & dir = out ", ["dir = in & dir = out ", NO_HELP])

    def test_flags(self):
        self.check("goquery --su", ["--sum"])
        self.check("goquery --query.time-", ["--query.time-resolution"])
        self.check("goquery --sort", ["--sort.by <KEY>", "--sort.ascending (Smallest first)"])
        self.assertNotIn("--sum", self.got("goquery --in --su"))
        self.assertEqual(self.got("goquery --sum --ou"), [])
        everything = self.got("goquery -")
        for want in ("-i <LIST>", "--ifaces <LIST>", "--sum (Show received and sent added up)",
                     "-h (Show help)", "--help (Show help)"):
            self.assertIn(want, everything)
        some = self.got("goquery -i eth0 --results.limit=4 -")
        for gone in ("-i <LIST>", "--ifaces <LIST>", "-n <N>", "--results.limit <N>"):
            self.assertIn(gone, everything)
            self.assertNotIn(gone, some)
        # a value that looks like a flag is none
        self.assertIn("-c <CONDITION>", self.got("goquery -f -c sip -"))
        self.check("goquery --nosuch=a", [])

    def test_calls(self):
        for args in (["bash"], ["bash", "5"], ["bash", "99", "x"], ["bash", "x", "x"], ["bash", "-1", "x"],
                     ["bash", "", "x"]):  # K29
            p = self.run_helper(*args)
            self.assertEqual((p.returncode, p.stdout, p.stderr), (0, "", ""), args)
        for args in ([], ["zsh"], ["zsh", "1", "x"]):
            p = self.run_helper(*args)
            self.assertEqual((p.returncode, p.stdout), (0, ""), args)
            self.assertEqual(len(p.stderr.splitlines()), 1, args)
        p = self.run_helper("-version")
        self.assertEqual(p.returncode, 0)
        self.assertTrue(p.stdout.startswith("goquery_completion "), p.stdout)
        # only what stands before the cursor counts
        p = self.run_helper("bash", "9", "goquery sip,dip")
        self.assertIn("sip,dport\n", p.stdout)
        with open("/dev/full", "w", encoding="utf-8") as full:
            p = subprocess.run([HELPER, "bash", "8", "goquery "], stdout=full, stderr=subprocess.PIPE,
                               timeout=20, check=False)
        self.assertEqual((p.returncode, p.stderr), (1, b""))

    def test_long_input(self):
        long = "goquery -c '" + "sip = 1.2.3.4 & " * 3000
        p = self.run_helper("bash", str(len(long)), long)
        self.assertIn(p.returncode, (0, 1))
        self.assertEqual(p.stderr, "")


if __name__ == "__main__":
    unittest.main(verbosity=1)
