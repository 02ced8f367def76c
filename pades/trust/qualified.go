package trust

import (
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Qualified is what the issuer of a certificate claims in its qualified certificate
// statements (RFC 3739, 3.2.6; ETSI EN 319 412-5). It is a claim and nothing more: whether
// a certificate is qualified also needs the trusted list of the country to say so of its
// issuer, at that time. No trusted list is read here, so nobody may be told "qualified"
// from this alone.
type Qualified struct {
	Compliance  bool            // QcCompliance: issued as a qualified certificate
	Device      bool            // QcSSCD: the key is in a qualified signature creation device
	Types       []QualifiedType // QcType; with Compliance and none, "esign" is meant (EN 319 412-5, 4.2.3)
	Countries   []string        // QcCClegislation: whose law, if not the European Union's
	Retention   *int            // QcRetentionPeriod: years the issuer keeps its files after the end, nil when not said
	Limit       *Limit          // QcLimitValue: of a transaction, nil when not said
	Disclosures []Disclosure    // QcPDS: where the issuer's disclosure statements are
	Others      []string        // OIDs of statements that are not read
}

// QualifiedType is what a qualified certificate is for.
type QualifiedType string

// The types of EN 319 412-5, 4.2.3.
const (
	ForSignatures QualifiedType = "esign" // of a natural person
	ForSeals      QualifiedType = "eseal" // of a legal person
	ForWebsites   QualifiedType = "web"
)

// Limit is an amount of money, Amount × 10^Exponent.
type Limit struct {
	Currency         string // ISO 4217, letters or digits
	Amount, Exponent int64
}

// Disclosure is the address of a statement in one language. Nobody fetches it.
type Disclosure struct{ Language, Address string }

// ErrStatements says that the statements cannot be read.
var ErrStatements = errors.New("trust: unreadable qualified certificate statements")

// Limits of QualifiedStatements. Real extensions have some 100 to 400 bytes.
const (
	maxStatements     = 32
	maxStatementBytes = 16 << 10
	maxStatementList  = 16
	maxStatementText  = 512
)

var (
	oidQCStatements = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 3}
	oidQCTypes      = map[string]QualifiedType{"0.4.0.1862.1.6.1": ForSignatures, "0.4.0.1862.1.6.2": ForSeals, "0.4.0.1862.1.6.3": ForWebsites}
)

// QualifiedStatements reads the extension. A certificate without it claims nothing, which is
// the zero value and no error.
func QualifiedStatements(c *x509.Certificate) (Qualified, error) {
	for _, e := range c.Extensions {
		if e.Id.Equal(oidQCStatements) {
			return parseStatements(e.Value)
		}
	}
	return Qualified{}, nil
}

func parseStatements(der []byte) (Qualified, error) {
	var q Qualified
	in := cryptobyte.String(der)
	var list cryptobyte.String
	if len(der) > maxStatementBytes || !in.ReadASN1(&list, cbasn1.SEQUENCE) || !in.Empty() {
		return Qualified{}, ErrStatements
	}
	seen := map[string]bool{}
	for !list.Empty() {
		var s cryptobyte.String
		var oid asn1.ObjectIdentifier
		if !list.ReadASN1(&s, cbasn1.SEQUENCE) || !s.ReadASN1ObjectIdentifier(&oid) || seen[oid.String()] || len(seen) == maxStatements {
			return Qualified{}, ErrStatements
		}
		seen[oid.String()] = true
		if !q.statement(oid.String(), s) {
			return Qualified{}, fmt.Errorf("%w: %s", ErrStatements, oid)
		}
	}
	return q, nil
}

// statement reads one of EN 319 412-5, 4.2 and 4.3.
func (q *Qualified) statement(oid string, in cryptobyte.String) bool {
	switch oid {
	case "0.4.0.1862.1.1":
		q.Compliance = true
	case "0.4.0.1862.1.2":
		return q.limit(in)
	case "0.4.0.1862.1.3":
		years := 0
		q.Retention = &years
		return in.ReadASN1Integer(&years) && years >= 0 && years < 1000 && in.Empty()
	case "0.4.0.1862.1.4":
		q.Device = true
	case "0.4.0.1862.1.5":
		return q.disclosures(in)
	case "0.4.0.1862.1.6":
		return each(in, func(in *cryptobyte.String) bool {
			var kind asn1.ObjectIdentifier
			if !in.ReadASN1ObjectIdentifier(&kind) {
				return false
			}
			if t, ok := oidQCTypes[kind.String()]; ok {
				q.Types = append(q.Types, t)
			} else {
				q.Others = append(q.Others, kind.String())
			}
			return true
		})
	case "0.4.0.1862.1.7":
		return each(in, func(in *cryptobyte.String) bool {
			country, ok := text(in, cbasn1.PrintableString)
			q.Countries = append(q.Countries, country)
			return ok && len(country) == 2
		})
	default:
		q.Others = append(q.Others, oid)
		return true
	}
	return in.Empty()
}

func (q *Qualified) limit(in cryptobyte.String) bool {
	var value cryptobyte.String
	l := &Limit{}
	if !in.ReadASN1(&value, cbasn1.SEQUENCE) || !in.Empty() {
		return false
	}
	if value.PeekASN1Tag(cbasn1.INTEGER) {
		var number int
		if !value.ReadASN1Integer(&number) || number < 1 || number > 999 {
			return false
		}
		l.Currency = fmt.Sprintf("%03d", number)
	} else {
		var ok bool
		if l.Currency, ok = text(&value, cbasn1.PrintableString); !ok || len(l.Currency) != 3 {
			return false
		}
	}
	q.Limit = l
	return value.ReadASN1Integer(&l.Amount) && value.ReadASN1Integer(&l.Exponent) && value.Empty() && l.Amount >= 0
}

func (q *Qualified) disclosures(in cryptobyte.String) bool {
	return each(in, func(in *cryptobyte.String) bool {
		var one cryptobyte.String
		if !in.ReadASN1(&one, cbasn1.SEQUENCE) {
			return false
		}
		address, ok := text(&one, cbasn1.IA5String)
		language, also := text(&one, cbasn1.PrintableString)
		q.Disclosures = append(q.Disclosures, Disclosure{language, address})
		return ok && also && one.Empty() && len(language) == 2
	})
}

// each reads the elements of the one sequence in.
func each(in cryptobyte.String, read func(*cryptobyte.String) bool) bool {
	var list cryptobyte.String
	if !in.ReadASN1(&list, cbasn1.SEQUENCE) || !in.Empty() {
		return false
	}
	for n := 0; !list.Empty(); n++ {
		if n == maxStatementList || !read(&list) {
			return false
		}
	}
	return true
}

// text reads a short string of printable ASCII, which is all these types may hold.
func text(in *cryptobyte.String, tag cbasn1.Tag) (string, bool) {
	var s cryptobyte.String
	if !in.ReadASN1(&s, tag) || len(s) > maxStatementText {
		return "", false
	}
	for _, c := range s {
		if c < ' ' || c > '~' {
			return "", false
		}
	}
	return string(s), true
}
