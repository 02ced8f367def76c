package main_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"

	"countersign/audit"
	"countersign/db"
	"countersign/dtmsim"
	"countersign/handlers/handlerstest"
)

// kept is a site at rest that fsck looks at: a signed document, one that is about to be
// signed, an identity check and a credential that came about in the ordinary way.
type kept struct {
	t        *testing.T
	site     *handlerstest.Site
	settings map[string]string
	database string // path of the SQLite file
	dir      string
	ledger   []dtmsim.LedgerEntry
}

func newKept(t *testing.T) *kept {
	t.Helper()
	s := handlerstest.New(t, handlerstest.Options{})
	ada, cleo := s.SignIn("ada"), s.SignIn("cleo")
	credential := ada.Credential(cleo, "cp-advanced")
	ada.Signed(ada.Upload("contract.pdf", handlerstest.PDF()), credential.ID)
	ada.Begin(ada.Upload("offer.pdf", handlerstest.PDF()), credential.ID)
	_, err := (&audit.Tree{Store: s.DB.AuditTree()}).Number(t.Context())
	require.NoError(t, err)
	k := &kept{t: t, site: s, dir: t.TempDir(), ledger: s.Sim.Ledger()}
	roots := filepath.Join(k.dir, "roots.pem")
	require.NoError(t, os.WriteFile(roots, []byte(s.Sim.RootPEM()), 0o600))
	k.settings = setting(k.dir, "BLOB_DIR", s.Blobs, "MASTER_KEY", b64("master-key-of-blobs-of-32-bytes!"), "TRUST_ROOTS", roots, "DATABASE_URL", s.DB.URL())
	if s.DB.Dialect == db.SQLite {
		require.NoError(t, s.DB.Read.Get(&k.database, "SELECT file FROM pragma_database_list WHERE name = 'main'"))
		k.settings["DATABASE_URL"] = "sqlite:" + k.database
	}
	return k
}

// copied is the same site in a folder of its own, for something to be broken there.
func (k *kept) copied() *kept {
	k.t.Helper()
	c := *k
	c.dir = k.t.TempDir()
	c.settings = maps.Clone(k.settings)
	c.ledger = slices.Clone(k.ledger)
	c.database = filepath.Join(c.dir, "copy.db")
	_, err := k.site.DB.Write.Exec("VACUUM INTO '" + c.database + "'")
	require.NoError(k.t, err)
	blobs := filepath.Join(c.dir, "blobs")
	require.NoError(k.t, os.CopyFS(blobs, os.DirFS(k.site.Blobs)))
	require.NoError(k.t, filepath.Walk(blobs, func(p string, info os.FileInfo, err error) error {
		if err == nil && info.IsDir() {
			return os.Chmod(p, 0o700)
		}
		return err
	}))
	c.settings["DATABASE_URL"], c.settings["BLOB_DIR"] = "sqlite:"+c.database, blobs
	return &c
}

// change breaks rows as nobody can through the program.
func (k *kept) change(statements ...string) {
	k.t.Helper()
	d, err := sqlx.Open("sqlite", k.database)
	require.NoError(k.t, err)
	defer d.Close()
	d.SetMaxOpenConns(1)
	var guards []struct{ Name, SQL string }
	require.NoError(k.t, d.Select(&guards, "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"))
	require.NotEmpty(k.t, guards)
	all := []string{"PRAGMA ignore_check_constraints = 1"}
	for _, g := range guards {
		all = append(all, "DROP TRIGGER "+g.Name)
	}
	all = append(all, statements...)
	for _, g := range guards {
		all = append(all, g.SQL)
	}
	for _, s := range all {
		_, err := d.Exec(s)
		require.NoError(k.t, err, s)
	}
}

// fsck runs the program, and answers what it printed and which invariants it says are broken.
func (k *kept) fsck(args ...string) (out string, broken []string, code int) {
	k.t.Helper()
	text, err := json.Marshal(k.ledger)
	require.NoError(k.t, err)
	ledger := filepath.Join(k.dir, "ledger.json")
	require.NoError(k.t, os.WriteFile(ledger, text, 0o600))
	out, code = portal(k.t, k.settings, append([]string{"fsck", "-wait", "1ms", "-ledger", ledger}, args...)...)
	for _, m := range regexp.MustCompile(`(?m)^fail  (I\d+)`).FindAllStringSubmatch(out, -1) {
		broken = append(broken, m[1])
	}
	hidesSecrets(k.t, out)
	return out, broken, code
}

func (k *kept) text(query string) (s string) {
	k.t.Helper()
	require.NoError(k.t, k.site.DB.Read.Get(&s, query))
	return s
}

// file is the stored bytes of the original of the signed document.
func (k *kept) file() string {
	id := k.text("SELECT r.blob FROM revisions r JOIN documents d ON d.id = r.document WHERE d.signed = 1 AND r.number = 1")
	return filepath.Join(k.settings["BLOB_DIR"], id[:2], id[2:4], id)
}

func TestFsckFindsASoundSiteSoundAndWritesNothing(t *testing.T) {
	for _, database := range []string{"sqlite", "postgres"} {
		t.Run(database, func(t *testing.T) {
			t.Setenv(handlerstest.Variable, database)
			k := newKept(t)
			before := k.site.Snapshot()
			out, broken, code := k.fsck()
			require.Zero(t, code, out)
			require.Empty(t, broken)
			require.Len(t, regexp.MustCompile(`(?m)^ok    I\d+`).FindAllString(out, -1), 12, out)
			require.Contains(t, out, "skip  I1 ")
			require.Contains(t, out, "skip  I14")
			require.Contains(t, out, "2 documents")
			require.Equal(t, before, k.site.Snapshot())

			out, _ = portal(t, k.settings, "doctor")
			require.Regexp(t, `(?m)^ok         database          `+database+` \d+\.\d+(\.\d+)? answers, is at this program's schema`, out)
			require.Contains(t, out, "the clock of the database agrees")
			require.Equal(t, before, k.site.Snapshot(), "doctor changes nothing either")

			out, _, code = k.fsck("-quick")
			require.Zero(t, code, out)
			require.Contains(t, out, "none read")
			require.Contains(t, out, "skip  I7 ")
			out, _, code = k.fsck("-json")
			require.Zero(t, code, out)
			var all []map[string]any
			require.NoError(t, json.Unmarshal([]byte(out), &all), out)
			require.Len(t, all, 14)

			// And that both databases can tell that something is wrong.
			_, err := k.site.DB.Write.Exec("UPDATE documents SET size = size + 1 WHERE signed = " + map[string]string{"sqlite": "1", "postgres": "TRUE"}[database])
			require.NoError(t, err)
			out, broken, code = k.fsck()
			require.Equal(t, 1, code, out)
			require.Equal(t, []string{"I12"}, broken, out)
		})
	}
}

func TestFsckFindsEachThingThatIsBroken(t *testing.T) {
	k := newKept(t)
	released := "(SELECT id FROM signatures WHERE state = 'released')"
	entry := "(SELECT id FROM audit WHERE action = '%s' LIMIT 1)"
	for name, c := range map[string]struct {
		broken string // invariants, in their order
		says   string
		plant  func(k *kept)
	}{
		"a byte of a file was changed": {"I2", "not what they were", func(k *kept) {
			text, err := os.ReadFile(k.file())
			require.NoError(t, err)
			text[len(text)/2] ^= 1
			require.NoError(t, os.WriteFile(k.file(), text, 0o600))
		}},
		"a file is gone": {"I2", "not there", func(k *kept) { require.NoError(t, os.Remove(k.file())) }},
		"a row has another fingerprint": {"I2", "the record says", func(k *kept) {
			k.change("UPDATE revisions SET sha256 = x'00' WHERE number = 2")
		}},
		"the bytes of a preparation are gone": {"I2", "preparation", func(k *kept) {
			id := k.text("SELECT prepared FROM signatures WHERE state = 'prepared'")
			require.NoError(t, os.Remove(filepath.Join(k.settings["BLOB_DIR"], id[:2], id[2:4], id)))
		}},
		"a file that nobody knows": {"I3", "no row speaks", func(k *kept) { k.stray(26 * time.Hour) }},
		"one approval gave two signatures": {"I4 I6 I9", "more than one signature of one document", func(k *kept) {
			k.change("UPDATE signatures SET id = id || '-first'", "CREATE TABLE two AS SELECT * FROM signatures WHERE state = 'released'",
				"UPDATE two SET id = replace(id, '-first', '')", "INSERT INTO signatures SELECT * FROM two", "DROP TABLE two",
				"UPDATE signatures SET id = replace(id, '-first', '') WHERE state <> 'released'")
		}},
		"it was given out twice": {"I4 I9", "exactly one release", func(k *kept) {
			k.change(fmt.Sprintf("UPDATE audit SET action = 'signature.release' WHERE id = "+entry, "signature.assemble"))
		}},
		"signed without an announcement": {"I5 I6", "before a row said so", func(k *kept) { k.change("UPDATE signatures SET intended_at = 0 WHERE id = " + released) }},
		"signed twice":                   {"I5 I13", "signed it 2 times", func(k *kept) { k.ledger = append(k.ledger, k.signed()) }},
		"signed for nobody": {"I5 I13", "no row speaks of it", func(k *kept) {
			e := k.signed()
			e.Hashes = []string{strings.Repeat("ab", 32)}
			k.ledger = append(k.ledger, e)
		}},
		"signed, and told that it was not": {"I4 I5 I9", "was told that nothing was signed", func(k *kept) {
			k.change("UPDATE signatures SET state = 'failed', reason = 'sign_refused' WHERE id = " + released)
		}},
		"never signed": {"I5", "does not know of it", func(k *kept) {
			k.ledger = slices.DeleteFunc(k.ledger, func(e dtmsim.LedgerEntry) bool { return e.Kind == dtmsim.LedgerSigned })
		}},
		"with the credential of somebody else": {"I6", "bound to somebody else", func(k *kept) {
			k.change("UPDATE credentials SET person = (SELECT id FROM people WHERE subject = 'cleo')")
		}},
		"without a code": {"I6 I9", "no code that was sent", func(k *kept) {
			k.change("UPDATE audit SET action = 'ceremony.other' WHERE action = 'ceremony.send_code'")
		}},
		"without an approved check": {"I6 I9", "no approved identity check", func(k *kept) {
			k.change("UPDATE audit SET owner = '' WHERE object = 'validation' AND to_state = 'approved'")
		}},
		"with another certificate": {"I7", "was made with the certificate", func(k *kept) { k.change("UPDATE credentials SET serial = 'abc'") }},
		"a state that is none":     {"I8 I9", "does not exist", func(k *kept) { k.change("UPDATE ceremonies SET state = 'odd' WHERE state = 'used'") }},
		"a step back": {"I8 I9", "which there is not", func(k *kept) {
			k.change(fmt.Sprintf("UPDATE audit SET to_state = 'prepared' WHERE id = "+entry, "signature.release"))
		}},
		"a version that fell": {"I8", "version is lower", func(k *kept) { k.change("UPDATE signatures SET version = 1 WHERE id = " + released) }},
		"a line of the log changed": {"I9", "not what was logged", func(k *kept) {
			k.change(fmt.Sprintf("UPDATE audit SET reason = 'other' WHERE id = "+entry, "document.ready"))
		}},
		"a line of the log is gone": {"I9", "is missing", func(k *kept) { k.change(fmt.Sprintf("DELETE FROM audit WHERE id = "+entry, "document.ready")) }},
		"a guard of the log is gone": {"I9", "does not refuse any more", func(k *kept) {
			d, err := sqlx.Open("sqlite", k.database)
			require.NoError(k.t, err)
			defer d.Close()
			_, err = d.Exec("DROP TRIGGER audit_no_delete")
			require.NoError(k.t, err)
		}},
		"a move that nobody told": {"I9", "do not lead to where it is", func(k *kept) { k.change("UPDATE ceremonies SET state = 'failed' WHERE state = 'used'") }},
		"a row is gone":           {"I9", "there is no row of it", func(k *kept) { k.change("DELETE FROM validations") }},
		"a key in a row":          {"I10", "in clear", func(k *kept) { k.change("UPDATE people SET name = 'x api-key-canary'") }},
		"a refresh token moved to somebody else": {"I10", "does not open", func(k *kept) {
			k.change("INSERT INTO grants (id, person, state, sealed, since) VALUES ('g', (SELECT id FROM people WHERE subject = 'cleo'), 'open', x'01020304', 1)")
		}},
		"a token in a row":          {"I10", "in clear", func(k *kept) { k.change("UPDATE people SET name = 'eyJhbGciOiJSUzI1NiJ9.e30.x'") }},
		"an upload that never ends": {"I9 I11", "came to a stop", func(k *kept) { k.change("UPDATE documents SET state = 'checking', deadline = 1 WHERE signed = 1") }},
		"a key that was asked long ago": {"I9 I11", "never settled", func(k *kept) {
			k.change("UPDATE signatures SET state = 'intended', since = 1 WHERE state = 'prepared'")
		}},
		"room that does not add up": {"I12", "is not the sum", func(k *kept) { k.change("UPDATE documents SET size = size - 1 WHERE signed = 1") }},
		"activation data that was old": {"I13", "after it was issued", func(k *kept) {
			for i := range k.ledger {
				if k.ledger[i].Kind == dtmsim.LedgerSADIssued {
					k.ledger[i].At = k.ledger[i].At.Add(-6 * time.Minute)
				}
			}
		}},
		"a code that is not counted": {"I13", "sent 2 codes", func(k *kept) {
			for _, e := range k.ledger {
				if e.Kind == dtmsim.LedgerOTPSent {
					k.ledger = append(k.ledger, e)
				}
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			b := k.copied()
			b.t = t
			c.plant(b)
			out, broken, code := b.fsck()
			require.Equal(t, 1, code, out)
			require.Equal(t, c.broken, strings.Join(broken, " "), out)
			require.Contains(t, out, c.says)
		})
	}
	t.Run("nothing", func(t *testing.T) {
		b := k.copied()
		b.stray(24 * time.Hour) // young enough to be cleared away
		out, broken, code := b.fsck()
		require.Zero(t, code, out)
		require.Empty(t, broken)
		require.Contains(t, out, "1 of something that broke off")
	})
}

func (k *kept) signed() dtmsim.LedgerEntry {
	i := slices.IndexFunc(k.ledger, func(e dtmsim.LedgerEntry) bool { return e.Kind == dtmsim.LedgerSigned })
	require.GreaterOrEqual(k.t, i, 0)
	return k.ledger[i]
}

func (k *kept) stray(age time.Duration) {
	k.t.Helper()
	id := strings.Repeat("ab", 16)
	dir := filepath.Join(k.settings["BLOB_DIR"], id[:2], id[2:4])
	require.NoError(k.t, os.MkdirAll(dir, 0o700))
	require.NoError(k.t, os.WriteFile(filepath.Join(dir, id), []byte("stray"), 0o600))
	then := time.Now().Add(-age)
	require.NoError(k.t, os.Chtimes(filepath.Join(dir, id), then, then))
}

func TestFsckSaysWhenItCannotLook(t *testing.T) {
	for name, c := range map[string]struct {
		settings map[string]string
		args     []string
		says     string
	}{
		"no database":  {setting(t.TempDir()), nil, "is not there"},
		"wrong key":    {setting(t.TempDir(), "MASTER_KEY", "short"), nil, "MASTER_KEY"},
		"no ledger":    {setting(t.TempDir()), []string{"-ledger", "missing.json"}, "ledger"},
		"wrong usage":  {setting(t.TempDir()), []string{"more"}, "usage"},
		"unknown flag": {setting(t.TempDir()), []string{"-repair"}, "usage"},
	} {
		t.Run(name, func(t *testing.T) {
			out, code := portal(t, c.settings, append([]string{"fsck"}, c.args...)...)
			require.Equal(t, 2, code, out)
			require.Contains(t, out, c.says)
			hidesSecrets(t, out)
			require.NoFileExists(t, strings.TrimPrefix(c.settings["DATABASE_URL"], "sqlite:"))
		})
	}
}
