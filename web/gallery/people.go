package gallery

import (
	"crypto/sha256"
	"time"

	"countersign/identity"
	"countersign/people"
	"countersign/signing"
	"countersign/web/templates"
)

var (
	zone = time.FixedZone("CET", 3600)
	now  = time.Date(2026, time.November, 23, 14, 30, 0, 0, zone)

	ada  = people.Person{ID: "p-ada", Name: "Ada Example", GivenName: "Ada", FamilyName: "Example", Email: "ada@example.com", Roles: []people.Role{people.Signer}}
	ben  = people.Person{ID: "p-ben", Name: "Ben Example", GivenName: "Ben", FamilyName: "Example", Email: "ben@example.com", Roles: []people.Role{people.Signer, people.Admin}}
	una  = people.Person{ID: "p-una", Name: "Una Example", GivenName: "Una", FamilyName: "Example", Email: "una@example.com", Roles: []people.Role{people.Admin}}
	eve  = people.Person{ID: "p-eve", Name: "Eve Example", GivenName: "Eve", FamilyName: "Example", Email: "eve@example.com", Roles: []people.Role{people.Auditor}}
	maxi = people.Person{ID: "p-max", Name: "Maximiliane Freifrau von Donaudampfschifffahrt", GivenName: "Maximiliane", Email: "maximiliane.von.donaudampfschifffahrt@example.com", Roles: []people.Role{people.Signer}}
)

func ago(d time.Duration) time.Time { return now.Add(-d) }

func in(d time.Duration) time.Time { return now.Add(d) }

const day = 24 * time.Hour

// page is the frame of a page for somebody; nil for nobody.
func page(who *people.Person, title, here string) templates.Page {
	p := templates.Page{
		Title: title, Here: here, Person: who, Now: now, Zone: zone, Path: "/" + here,
		Brand: templates.Brand{Name: "Countersign", Organization: "Example BV"},
	}
	if who != nil && who.Has(people.Admin) {
		p.Waiting = 7
	}
	return p
}

func task(p templates.Page, label, path string) templates.Page {
	p.Task, p.TaskPath = label, path
	return p
}

func fingerprint(name string) []byte {
	sum := sha256.Sum256([]byte(name))
	return sum[:]
}

func validation(state identity.ValidationState) identity.Validation {
	v := identity.Validation{
		ID: "v-1", Reference: "VC-7F2K-19", Person: ada.ID, Standard: identity.AdvancedPlus, State: state,
		DTMStatus: string(state), CreatedAt: ago(5 * time.Hour), Since: ago(2 * time.Hour), Consent: ago(5 * time.Hour),
		Claims:  identity.Attributes{GivenName: "Ada", FamilyName: "Example", Email: "ada@example.com"},
		Proofed: identity.Attributes{GivenName: "Ada Maria", FamilyName: "Example", BirthDate: "1988-05-04", Nationality: "NL", DocumentType: "passport"},
	}
	if state == identity.ValidationUnknown {
		v.DTMStatus = "KYC_HOLD"
	}
	return v
}

func credential(state identity.CredentialState) identity.Credential {
	c := identity.Credential{
		ID: "c-1", Person: ada.ID, Validation: "v-1", Name: "ada-example-7f2k19", Profile: "prof-1", ProfileName: "Advanced+ personal",
		Standard: identity.AdvancedPlus, State: state, DTMStatus: string(state),
		CreatedAt: ago(254 * day), Since: ago(254 * day), IssuedBy: ben.ID, LastUsed: ago(22 * time.Hour),
		Subject: "CN=Ada Example,O=Example BV,C=NL", Issuer: "CN=Example Issuing CA 2,O=Example Trust,C=NL", Serial: "4f3a9c12d07b44e1",
		NotBefore: ago(254 * day), NotAfter: in(111 * day),
	}
	switch state {
	case identity.CredentialPending, identity.CredentialIssuanceUnknown, identity.CredentialDeactivated:
		c.Subject, c.Issuer, c.Serial, c.NotBefore, c.NotAfter, c.LastUsed = "", "", "", time.Time{}, time.Time{}, time.Time{}
		c.CreatedAt, c.Since = ago(3*time.Minute), ago(2*time.Minute)
	case identity.CredentialRevoked:
		c.Reason, c.Since = string(identity.Superseded), ago(9*day)
	case identity.CredentialSuspended:
		c.Since = ago(21 * day)
	case identity.CredentialUnknown:
		c.DTMStatus = "UNDER_MIGRATION"
	case identity.CredentialExpired:
		c.NotBefore, c.NotAfter, c.Since = ago(370*day), ago(5*day), ago(5*day)
	}
	return c
}

func document(id, name string, state signing.DocumentState) signing.Document {
	return signing.Document{ID: signing.DocumentID(id), Owner: ada.ID, Name: name, Size: 2_412_000, Pages: 14, SHA256: fingerprint(name),
		State: state, Revisions: 1, CreatedAt: ago(32 * time.Minute), Since: ago(32 * time.Minute)}
}

func row(d signing.Document) templates.DocumentRow {
	return templates.DocumentRow{Document: d, Words: templates.Words(d.SHA256), Indent: templates.IndentLevels(d.SHA256)}
}

func signed(d signing.Document, at time.Time) templates.DocumentRow {
	d.Signed, d.Revisions, d.Level, d.CreatedAt, d.Since = true, 2, "B-LT", at.Add(-time.Hour), at
	r := row(d)
	r.Signature = &signing.Signature{ID: "s-" + signing.SignatureID(d.ID), Ceremony: "y-1", Document: d.ID, State: signing.SignatureReleased,
		SignerName: "Ada Example", Issuer: "Example Issuing CA 2", Level: "B-T", IntendedAt: at, SignedAt: at, StampedAt: at, AssembledAt: at, ReleasedAt: at, Since: at, CreatedAt: at}
	return r
}

func trying(d signing.Document, state signing.SignatureState, at time.Time) templates.DocumentRow {
	r := row(d)
	r.Signature = &signing.Signature{ID: "s-" + signing.SignatureID(d.ID), Ceremony: "y-1", Document: d.ID, State: state, CreatedAt: at, Since: at, SignerName: "Ada Example"}
	if state == signing.SignaturePrepared {
		r.Open = "y-1"
	}
	return r
}

func upload() templates.UploadForm {
	return templates.UploadForm{MaxBytes: 1_000_000_000, Types: "PDF"}
}
