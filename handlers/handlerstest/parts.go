package handlerstest

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"countersign/audit"
	"countersign/blob"
	"countersign/db"
	"countersign/dtmclient"
	"countersign/grants"
	"countersign/identity"
	"countersign/pades"
	"countersign/pades/tsp"
	"countersign/people"
	"countersign/signing"
)

// These fit the parts to each other as cmd/portal does, which being a program cannot be
// imported.

type blobs struct{ store *blob.Store }

func (b blobs) NewKey(d signing.DocumentID) ([]byte, error) { return b.store.NewKey(string(d)) }

func (b blobs) Create(ctx context.Context, d signing.DocumentID, key []byte) (signing.BlobWriter, error) {
	return b.store.Create(ctx, string(d), key)
}

func (b blobs) Open(ctx context.Context, d signing.DocumentID, key []byte, id string) (signing.BlobReader, error) {
	r, err := b.store.Open(ctx, string(d), key, id)
	if err != nil {
		return nil, corrupt(err)
	}
	return blobReader{r}, nil
}

func (b blobs) Remove(ctx context.Context, id string) error { return b.store.Remove(ctx, id) }

func (b blobs) Seal(d signing.DocumentID, key, plain []byte) ([]byte, error) {
	return b.store.Seal(string(d), key, plain)
}

func (b blobs) Unseal(d signing.DocumentID, key, sealed []byte) ([]byte, error) {
	plain, err := b.store.Unseal(string(d), key, sealed)
	return plain, corrupt(err)
}

func (b blobs) Free(ctx context.Context) (int64, error) { return b.store.Free(ctx) }

// grantsOf keeps people's refresh tokens.
func grantsOf(s *Site, client *dtmclient.Client, master *blob.Master, log *slog.Logger) *grants.Service {
	return grants.New(grants.Options{Store: s.DB.Grants(), Seal: master, Remote: client, ClientID: s.Sim.ClientID, ClientSecret: dtmclient.Secret(s.Sim.ClientSecret),
		RedirectURL: s.URL + "/account/connected", Now: s.Clock.Now, Log: log,
		Credentials: func(ctx context.Context, id people.ID) (names []string, err error) {
			own, err := s.Identity.OwnCredentials(ctx, people.Actor{Person: id, Roles: []people.Role{people.Signer}})
			for _, c := range own {
				if c.State == identity.CredentialActive {
					names = append(names, c.Name)
				}
			}
			return names, err
		},
		Reachable: func(ctx context.Context, access dtmclient.Secret) ([]string, error) {
			return client.For(dtmclient.Held(func(context.Context, *dtmclient.Client) (dtmclient.Tokens, error) {
				return dtmclient.Tokens{Access: access, Life: time.Minute}, nil
			})).CredentialsList(ctx, "")
		}})
}

type persons struct {
	client *dtmclient.Client
	kept   *grants.Service
}

func (p persons) As(id people.ID) signing.Remote { return p.client.For(speaker{p.kept.As(id)}) }
func (p persons) Ready(ctx context.Context, id people.ID) error {
	return notConnected(p.kept.Ready(ctx, id))
}

type speaker struct{ dtmclient.Authenticator }

func (s speaker) Authenticate(ctx context.Context, r *http.Request) error {
	return notConnected(s.Authenticator.Authenticate(ctx, r))
}

func notConnected(err error) error {
	if errors.Is(err, grants.ErrNotConnected) {
		return fmt.Errorf("%w: %w", signing.ErrNotConnected, err)
	}
	return err
}

type blobReader struct{ *blob.Reader }

func (r blobReader) ReadAt(p []byte, at int64) (int, error) {
	n, err := r.Reader.ReadAt(p, at)
	return n, corrupt(err)
}

type credentials struct{ checks *identity.Service }

func (c credentials) Credential(ctx context.Context, p people.ID, id string) (signing.Credential, error) {
	found, err := c.checks.Credential(ctx, people.Actor{Person: p, Roles: []people.Role{people.Signer}}, identity.CredentialID(id))
	if errors.Is(err, identity.ErrNotFound) || err == nil && found.Person != p {
		return signing.Credential{}, signing.ErrNotFound
	}
	return forSigning(found), err
}

func (c credentials) Fresh(ctx context.Context, id string) (signing.Credential, error) {
	found, err := c.checks.FreshCredential(ctx, identity.CredentialID(id))
	return forSigning(found), err
}

func forSigning(c identity.Credential) signing.Credential {
	out := signing.Credential{ID: string(c.ID), Name: c.Name, Person: c.Person, Usable: c.State == identity.CredentialActive,
		Retired: !c.RetiredAt.IsZero()}
	if !out.Usable {
		out.Reason = "credential_" + string(c.State)
	}
	return out
}

type auditLog struct {
	store   *db.DB
	tree    *audit.Tree
	checker *audit.Checker
}

func (l auditLog) List(ctx context.Context, f audit.Filter) ([]audit.Entry, string, error) {
	return l.store.Audit().List(ctx, f)
}

func (l auditLog) Entry(ctx context.Context, id string) (audit.Entry, error) {
	return l.store.Audit().Entry(ctx, id)
}

func (l auditLog) LastCheckpoint(ctx context.Context) (audit.Checkpoint, error) {
	return l.store.AuditTree().LastCheckpoint(ctx)
}

func (l auditLog) Receipt(ctx context.Context, entries []audit.Entry) (audit.Receipt, error) {
	return l.tree.Receipt(ctx, l.store.AuditTree(), entries)
}

func (l auditLog) LastChecked(ctx context.Context) (*audit.Checked, error) {
	return l.store.AuditTree().LastEnded(ctx)
}

func (l auditLog) State(ctx context.Context) (audit.State, error) {
	return l.tree.State(ctx, l.store.AuditTree())
}

func (l auditLog) Grown(ctx context.Context, older, newer int64) (audit.Grown, error) {
	return l.tree.GrownBetween(ctx, l.store.AuditTree(), older, newer)
}

func (l auditLog) AskCheck(ctx context.Context, by people.Actor) error {
	return l.checker.Ask(ctx, by)
}

func (l auditLog) Export(ctx context.Context, w io.Writer, first int64, flush func()) error {
	return l.tree.Export(ctx, l.store.AuditTree(), w, first, flush)
}

func (l auditLog) Refusals(ctx context.Context, since time.Time) ([]audit.Refusals, error) {
	return l.store.Audit().Refusals(ctx, since)
}

// clock is the simulator's clock service.
type clock struct{ remote *dtmclient.Client }

func (c clock) Stamp(ctx context.Context, digest []byte) (token []byte, at time.Time, err error) {
	token, err = c.remote.Timestamp(ctx, digest, crypto.SHA256, []byte{1, 2, 3, 4})
	if err != nil {
		return nil, at, err
	}
	parsed, err := tsp.ParseToken(token)
	if err != nil {
		return nil, at, err
	}
	return token, parsed.Time, parsed.Check(digest, nil)
}

type verifier struct{ roots *x509.CertPool }

func (v verifier) Verify(ctx context.Context, r io.ReaderAt, size int64) (pades.Result, error) {
	return pades.Verify(ctx, r, size, pades.VerifyOptions{Roots: v.roots})
}
