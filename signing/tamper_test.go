package signing_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"countersign/dtmclient"
	"countersign/people"
	"countersign/signing"
)

// Rows that somebody changed past the program are no better than changed bytes: what they say
// of a file is held against the file and against each other, before a code is spent.
func TestRowsThatDoNotFitTheFileAreNotSigned(t *testing.T) {
	forged := bytes.Repeat([]byte{1}, 32)
	for name, alter := range map[string]func(w *world, d signing.Document){
		"the size": func(w *world, d signing.Document) {
			w.execute("UPDATE documents SET size = size + 1 WHERE id = ?", string(d.ID))
		},
		"both fingerprints": func(w *world, d signing.Document) {
			w.execute("UPDATE documents SET sha256 = ? WHERE id = ?", forged, string(d.ID))
			w.execute("UPDATE revisions SET sha256 = ? WHERE document = ?", forged, string(d.ID))
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "cp-basic")
			d := w.submitted("Altered")
			c := w.prepared(d)
			alter(w, d)
			_, err := w.SendCode(ctx, w.ada, c.ID)
			require.Equal(t, "bytes_changed", code(t, err))
			w.unspent()
			require.Equal(t, signing.DocumentQuarantined, w.document(d.ID).State)
		})
	}

	t.Run("the state of the hash", func(t *testing.T) {
		w := newWorld(t, "cp-basic")
		d := w.submitted("Altered")
		w.execute("UPDATE documents SET sha256 = ? WHERE id = ?", forged, string(d.ID))
		w.execute("UPDATE revisions SET sha256 = ? WHERE document = ?", forged, string(d.ID))
		_, _, err := w.Begin(ctx, w.ada, []signing.DocumentID{d.ID}, "ada")
		require.Equal(t, "bytes_changed", code(t, err))
		require.Equal(t, signing.DocumentQuarantined, w.document(d.ID).State)
	})

	t.Run("the revision that was prepared", func(t *testing.T) {
		w := newWorld(t, "cp-basic")
		c := w.begun(w.submitted("Altered"))
		w.execute("UPDATE signatures SET base = base + 1")
		_, err := w.Authorize(ctx, w.ada, c.ID, w.factors())
		require.Equal(t, "changed", code(t, err))
		require.Zero(t, w.calls("signatures/signHash"))
	})
}

func (w *world) execute(statement string, args ...any) {
	w.t.Helper()
	_, err := w.db.Write.Exec(w.db.Write.Rebind(statement), args...)
	require.NoError(w.t, err)
}

// otherwise tells something else of a credential than there is.
type otherwise struct {
	signing.Credentials
	of func(*signing.Credential)
}

func (o otherwise) Fresh(ctx context.Context, id string) (signing.Credential, error) {
	c, err := o.Credentials.Fresh(ctx, id)
	o.of(&c)
	return c, err
}

func (o otherwise) Credential(ctx context.Context, p people.ID, id string) (signing.Credential, error) {
	c, err := o.Credentials.Credential(ctx, p, id)
	if c.Retired = true; err != nil {
		c.Retired = false
	}
	return c, err
}

// What a credential is, and whose, is asked again right before the key is.
func TestACredentialThatIsAnotherNowDoesNotSign(t *testing.T) {
	for name, c := range map[string]struct {
		of   func(*signing.Credential)
		want string
	}{
		"somebody else's": {func(c *signing.Credential) { c.Person = "somebody-else" }, "credential_missing"},
		"another name":    {func(c *signing.Credential) { c.Name = "another" }, "credential_unusable"},
		"not active":      {func(c *signing.Credential) { c.Usable = false }, "credential_unusable"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "cp-basic")
			ceremony := w.begun(w.submitted("Another"))
			s := w.again(func(o *signing.Options) { o.Credentials = otherwise{o.Credentials, c.of} })
			_, err := s.Authorize(ctx, w.ada, ceremony.ID, w.factors())
			require.Equal(t, c.want, code(t, err))
			require.Zero(t, w.calls("signatures/signHash"))
		})
	}

	w := newWorld(t, "cp-basic")
	s := w.again(func(o *signing.Options) { o.Credentials = otherwise{o.Credentials, func(*signing.Credential) {}} })
	_, _, err := s.Begin(ctx, w.ada, []signing.DocumentID{w.submitted("Retired").ID}, "ada")
	require.Equal(t, "credential_retired", code(t, err), "one that was replaced begins nothing")
}

// countless answers more or fewer values than hashes.
type countless struct {
	signing.Remote
	change func([][]byte) [][]byte
}

func (r countless) SignHash(ctx context.Context, h dtmclient.HashesToSign) ([][]byte, error) {
	values, err := r.Remote.SignHash(ctx, h)
	return r.change(values), err
}

// Which value belongs to which hash cannot be told when their numbers differ.
func TestAsManyValuesAsHashesAreTaken(t *testing.T) {
	for name, change := range map[string]func([][]byte) [][]byte{
		"one more":  func(v [][]byte) [][]byte { return append(v, v[0]) },
		"one fewer": func(v [][]byte) [][]byte { return v[:len(v)-1] },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "cp-advanced", func(o *signing.Options) { o.Remote = countless{o.Remote, change} })
			c, _ := w.together(2, signing.Choice{GoOn: true})
			_, err := w.Authorize(ctx, w.ada, c.ID, w.factors())
			require.Equal(t, "value_count", code(t, err))
			require.Equal(t, []string{"failed value_count", "failed value_count"}, w.became(c))
		})
	}
}

// One approval takes so many documents, and each once.
func TestADocumentIsNamedOnceAndNotTooManyAre(t *testing.T) {
	w := newWorld(t, "cp-advanced", func(o *signing.Options) { o.MaxTogether = 2 })
	a, b, c := w.submitted("One"), w.submitted("Two"), w.submitted("Three")
	_, _, err := w.Begin(ctx, w.ada, []signing.DocumentID{a.ID, b.ID, c.ID}, "ada")
	require.Equal(t, "too_many_documents", code(t, err))
	_, _, err = w.Begin(ctx, w.ada, []signing.DocumentID{a.ID, a.ID}, "ada")
	require.Equal(t, "in_progress", code(t, err))
	_, _, err = w.Begin(ctx, w.ada, []signing.DocumentID{a.ID, b.ID}, "ada")
	require.NoError(t, err)
}
