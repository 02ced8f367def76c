package db

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jmoiron/sqlx"

	"countersign/identity"
	"countersign/signing"
)

// moving is a kind of object whose moves the log tells.
type moving struct {
	object, table string
	states        []string
	mayMove       func(from, to string) bool // nil: an observation may set any state
	versions      bool                       // every move raises the version by one
}

func words[S ~string](states ...S) (all []string) {
	for _, s := range states {
		all = append(all, string(s))
	}
	return all
}

var movings = []moving{
	{"document", "documents", words(signing.DocumentReceiving, signing.DocumentChecking, signing.DocumentReady, signing.DocumentRefused,
		signing.DocumentQuarantined, signing.DocumentErased),
		func(from, to string) bool {
			return signing.CanMoveDocument(signing.DocumentState(from), signing.DocumentState(to))
		}, true},
	{"ceremony", "ceremonies", words(signing.CeremonyPrepared, signing.CeremonyCodeSent, signing.CeremonyConsenting, signing.CeremonyAuthorizing, signing.CeremonyAuthorized,
		signing.CeremonyUsed, signing.CeremonyExpired, signing.CeremonyFailed, signing.CeremonyCancelled),
		func(from, to string) bool {
			return signing.CanMoveCeremony(signing.CeremonyState(from), signing.CeremonyState(to))
		}, true},
	{"signature", "signatures", words(signing.SignaturePrepared, signing.SignatureIntended, signing.SignatureSigned, signing.SignatureAssembled,
		signing.SignatureReleased, signing.SignatureOutcomeUnknown, signing.SignatureFailed, signing.SignatureExpired, signing.SignatureCancelled),
		func(from, to string) bool {
			return signing.CanMoveSignature(signing.SignatureState(from), signing.SignatureState(to))
		}, true},
	{"validation", "validations", words(identity.ValidationStates()...), nil, false},
	{"credential", "credentials", words(identity.CredentialPending, identity.CredentialActive, identity.CredentialSuspended, identity.CredentialRevoked,
		identity.CredentialDeactivated, identity.CredentialExpired, identity.CredentialIssuanceUnknown, identity.CredentialUnknown), nil, false},
}

const altered = "Rows were changed past the program, or the database lost what it had kept. Compare with a backup, and find out who else writes to the database."

// Moves holds that every object is in a state of its table, came there along its edges,
// and that its version has risen with each move (I8).
func (f Fsck) Moves(ctx context.Context, tell func(signing.Flaw)) (int, error) {
	all := 0
	for _, m := range movings {
		n, err := f.count(ctx, m.table)
		if err != nil {
			return 0, err
		}
		all += n
		if err := f.edges(ctx, m, tell); err != nil {
			return 0, err
		}
		unknown, args, err := sqlx.In("SELECT id, state, since, '' AS note FROM "+m.table+" WHERE state NOT IN (?)", m.states)
		if err != nil {
			return 0, err
		}
		if err := f.ask(ctx, "I8", tell, []question{{m.object, unknown, "it is in a state that does not exist", altered}}, args...); err != nil {
			return 0, err
		}
		if !m.versions {
			continue
		}
		if err := f.ask(ctx, "I8", tell, []question{{m.object, `SELECT o.id, o.state, o.since, '' AS note FROM ` + m.table + ` o WHERE o.version <
			(SELECT COUNT(*) FROM audit a WHERE a.subject = o.id AND a.object = '` + m.object + `' AND a.to_state <> '' AND a.from_state <> '' AND a.outcome <> 'refused')`,
			"its version is lower than the number of its moves", altered}}); err != nil {
			return 0, err
		}
	}
	return all, nil
}

// edges looks for moves in the log that no command makes.
func (f Fsck) edges(ctx context.Context, m moving, tell func(signing.Flaw)) error {
	var kinds []struct {
		From string `db:"from_state"`
		To   string `db:"to_state"`
	}
	const ways = "SELECT DISTINCT from_state, to_state FROM audit WHERE object = ? AND to_state <> '' AND outcome <> 'refused'"
	if err := f.Read.SelectContext(ctx, &kinds, f.Read.Rebind(ways), m.object); err != nil {
		return fmt.Errorf("I8: %w", err)
	}
	for _, k := range kinds {
		known := slices.Contains(m.states, k.To) && (k.From == "" || slices.Contains(m.states, k.From))
		if known && (m.mayMove == nil || k.From == k.To || m.mayMove(k.From, k.To)) {
			continue
		}
		err := f.ask(ctx, "I8", tell, []question{{m.object, `SELECT subject AS id, '' AS state, at AS since, '' AS note FROM audit
			WHERE object = ? AND from_state = ? AND to_state = ? AND outcome <> 'refused' ORDER BY at, id`,
			fmt.Sprintf("the log tells of a move from %q to %q, which there is not", k.From, k.To), altered}}, m.object, k.From, k.To)
		if err != nil {
			return err
		}
	}
	return nil
}

// moved sums, for each subject, how often each state was entered and left. What is not
// evened out is the state it is in now, once; a move without its entry, or an entry without
// its move, leaves more or another.
const moved = `WITH steps AS (
		SELECT subject, to_state AS state, 1 AS n FROM audit WHERE object = '%[1]s' AND to_state <> '' AND outcome <> 'refused'
		UNION ALL
		SELECT subject, from_state, -1 FROM audit WHERE object = '%[1]s' AND to_state <> '' AND from_state <> '' AND outcome <> 'refused'),
	left_over AS (SELECT subject, state, SUM(n) AS n FROM steps GROUP BY subject, state HAVING SUM(n) <> 0),
	ends AS (SELECT subject, MIN(state) AS state, COUNT(*) AS states, MIN(n) AS n FROM left_over GROUP BY subject)
	`

// Told holds that the log tells of every move, and of none that was not made: the half of
// I9 that the tree cannot prove.
func (f Fsck) Told(ctx context.Context, tell func(signing.Flaw)) error {
	for _, m := range movings {
		with := fmt.Sprintf(moved, m.object)
		err := f.ask(ctx, "I9", tell, []question{
			{m.object, with + `SELECT o.id, o.state, o.since, COALESCE(e.state, 'nothing') AS note FROM ` + m.table + ` o LEFT JOIN ends e ON e.subject = o.id
				WHERE ` + fmt.Sprintf("o.created_at > %d", f.young()) + ` AND (e.subject IS NULL OR e.states <> 1 OR e.n <> 1 OR e.state <> o.state)`,
				"its moves in the log do not lead to where it is, but to", altered},
			// An upload that never arrived is dropped without a word.
			{m.object, with + `SELECT e.subject AS id, e.state, 0 AS since, '' AS note FROM ends e WHERE e.state <> 'receiving'
				AND NOT EXISTS (SELECT 1 FROM ` + m.table + ` o WHERE o.id = e.subject)`,
				"the log tells of it, and there is no row of it any more", altered},
		})
		if err != nil {
			return err
		}
	}
	const waits = 10 * time.Minute
	return f.ask(ctx, "I9", tell, []question{{"entry", "SELECT id, '' AS state, at AS since, '' AS note FROM audit WHERE number IS NULL AND at < ? ORDER BY at, id",
		"the entry has waited for its number for more than ten minutes", "If the site is stopped, start it. If it runs, see why its background work does not: /readyz and the log tell."}},
		ms(f.Now.Add(-waits)))
}

// made is a signature with what the log says of the way to it.
type made struct {
	ID         string `db:"id"`
	Owner      string `db:"owner"`
	State      string `db:"state"`
	Since      int64  `db:"since"`
	IntendedAt int64  `db:"intended_at"`
	SignedAt   int64  `db:"signed_at"`
	ReleasedAt int64  `db:"released_at"`
	Ceremony   string `db:"ceremony_owner"`
	Document   string `db:"document_owner"`
	Person     string `db:"credential_person"`
	Validation string `db:"validation"`
	Factor     string `db:"factor"`
	Approved   int    `db:"approved"` // the identity check, by then
	Stood      string `db:"stood"`    // the credential's state then
	Sent       int    `db:"sent"`     // codes
	Asked      int    `db:"asked"`    // the provider's page
	Entered    int    `db:"entered"`  // factors, by the owner
	Intended   int    `db:"intended"`
	Signed     int    `db:"signed"`
}

// An entry has the time at which it was written, a little after that of its row; and what
// another process wrote has that one's clock.
const (
	happened   = "a.to_state <> '' AND a.outcome <> 'refused'"
	madeBefore = happened + " AND a.at <= s.intended_at + 30000"
)

const ways = `SELECT s.id, s.owner, s.state, s.since, s.intended_at, s.signed_at, s.released_at, c.owner AS ceremony_owner, d.owner AS document_owner,
	COALESCE(k.person, '') AS credential_person, COALESCE(k.validation, '') AS validation, c.factor,
	(SELECT COUNT(*) FROM audit a WHERE a.subject = k.validation AND a.object = 'validation' AND a.to_state = 'approved' AND a.owner = s.owner AND ` + madeBefore + `) AS approved,
	COALESCE((SELECT a.to_state FROM audit a WHERE a.subject = c.credential AND a.object = 'credential' AND ` + happened + ` AND a.at <= s.intended_at ORDER BY a.at DESC, a.id DESC LIMIT 1), '') AS stood,
	(SELECT COUNT(*) FROM audit a WHERE a.subject = c.id AND a.action = 'ceremony.send_code' AND a.person = s.owner AND ` + madeBefore + `) AS sent,
	(SELECT COUNT(*) FROM audit a WHERE a.subject = c.id AND a.action = 'ceremony.ask_consent' AND a.person = s.owner AND ` + madeBefore + `) AS asked,
	(SELECT COUNT(*) FROM audit a WHERE a.subject = c.id AND a.action = 'ceremony.authorize' AND a.person = s.owner AND ` + madeBefore + `) AS entered,
	(SELECT COUNT(*) FROM audit a WHERE a.subject = s.id AND a.action = 'signature.intend' AND a.at <= s.signed_at + 30000) AS intended,
	(SELECT COUNT(*) FROM audit a WHERE a.subject = s.id AND a.action = 'signature.sign' AND a.at >= s.signed_at - 30000) AS signed
	FROM signatures s JOIN ceremonies c ON c.id = s.ceremony JOIN documents d ON d.id = s.document LEFT JOIN credentials k ON k.id = c.credential
	WHERE s.state IN ('signed', 'assembled', 'released') AND s.id > ? AND s.created_at > ? ORDER BY s.id LIMIT ?`

// Way holds that before each signature came, in this order and by the same person: the
// approved identity check, the active credential, the second factor, the intent (I6).
func (f Fsck) Way(ctx context.Context, tell func(signing.Flaw)) (n int, err error) {
	for after := ""; ; {
		var page []made
		if err := f.Read.SelectContext(ctx, &page, f.Read.Rebind(ways), after, f.young(), most); err != nil {
			return n, fmt.Errorf("I6: %w", err)
		}
		if len(page) == 0 {
			return n, nil
		}
		for _, m := range page {
			n, after = n+1, m.ID
			why, err := m.flaw()
			if err != nil {
				return n, err
			}
			if why != "" {
				tell(signing.Flaw{Invariant: "I6", Object: "signature", Subject: m.ID, Since: at(m.Since), What: why,
					Do: "Ask the person whether they signed, before anybody relies on it. " + report})
			}
		}
	}
}

func (m made) flaw() (string, error) {
	factor, err := fromJSON[signing.Factor](m.Factor)
	if err != nil {
		return "", err
	}
	switch {
	case m.Ceremony != m.Owner || m.Document != m.Owner:
		return "the document, the approval and the signature are not one person's", nil
	case m.Person == "":
		return "there is no row of the credential that made it", nil
	case m.Person != m.Owner:
		return "the credential that made it is bound to somebody else", nil
	case m.Validation != "" && m.Approved == 0:
		return "the log tells of no approved identity check of this person before it", nil
	case m.Stood != string(identity.CredentialActive):
		return fmt.Sprintf("the log says that the credential was %q when it was made", m.Stood), nil
	case factor.Sent() && m.Sent == 0:
		return "the log tells of no code that was sent for it", nil
	case factor.Consent() && m.Asked == 0:
		return "the log tells of nobody who was sent to the provider's page for it", nil
	case m.Entered == 0:
		return "the log tells of nobody who entered a second factor for it", nil
	case m.Intended != 1 || m.IntendedAt == 0:
		return "the log does not say, before the key was asked, what was about to be signed", nil
	case m.Signed != 1 || m.SignedAt < m.IntendedAt:
		return "the log does not tell when its value was stored, or tells it in the wrong order", nil
	case m.ReleasedAt != 0 && m.ReleasedAt < m.SignedAt:
		return "it was given out before its value was stored", nil
	}
	return "", nil
}
