package db

import (
	"context"

	"countersign/people"
	"countersign/signing"
)

type ceremonyRow struct {
	ID             string `db:"id"`
	Owner          string `db:"owner"`
	Credential     string `db:"credential"`
	CredentialName string `db:"credential_name"`
	SignAlgo       string `db:"sign_algo"`
	SignParams     []byte `db:"sign_params"`
	Factor         string `db:"factor"`
	State          string `db:"state"`
	Reason         string `db:"reason"`
	Tries          int    `db:"tries"`
	Sends          int    `db:"sends"`
	CodeSentAt     int64  `db:"code_sent_at"`
	CodeEnds       int64  `db:"code_ends"`
	GoOn           bool   `db:"go_on"`
	Room           int    `db:"room"`
	CreatedAt      int64  `db:"created_at"`
	Since          int64  `db:"since"`
	Deadline       int64  `db:"deadline"`
	Version        int64  `db:"version"`
}

var ceremonies = newTable[ceremonyRow]("ceremonies")

func toCeremonyRow(c signing.Ceremony) ceremonyRow {
	return ceremonyRow{
		ID: string(c.ID), Owner: string(c.Owner), Credential: c.Credential, CredentialName: c.CredentialName,
		SignAlgo: c.SignAlgo, SignParams: c.SignParams, Factor: toJSON(c.Factor), State: string(c.State),
		Reason: c.Reason, Tries: c.Tries, Sends: c.Sends, CodeSentAt: ms(c.CodeSentAt), CodeEnds: ms(c.CodeEnds),
		GoOn: c.GoOn, Room: c.Room, CreatedAt: ms(c.CreatedAt), Since: ms(c.Since), Deadline: ms(c.Deadline), Version: c.Version,
	}
}

func (r ceremonyRow) ceremony() (signing.Ceremony, error) {
	factor, err := fromJSON[signing.Factor](r.Factor)
	return signing.Ceremony{
		ID: signing.CeremonyID(r.ID), Owner: people.ID(r.Owner), Credential: r.Credential,
		CredentialName: r.CredentialName, SignAlgo: r.SignAlgo, SignParams: r.SignParams, Factor: factor,
		State: signing.CeremonyState(r.State), Reason: r.Reason, Tries: r.Tries, Sends: r.Sends,
		CodeSentAt: at(r.CodeSentAt), CodeEnds: at(r.CodeEnds), GoOn: r.GoOn, Room: r.Room, CreatedAt: at(r.CreatedAt), Since: at(r.Since),
		Deadline: at(r.Deadline), Version: r.Version,
	}, err
}

// Ceremony by id, of this owner.
func (s signingStore) Ceremony(ctx context.Context, owner people.ID, id signing.CeremonyID) (signing.Ceremony, error) {
	row, err := ceremonies.get(ctx, s.Read, "id = ? AND owner = ?", id, owner)
	if err != nil {
		return signing.Ceremony{}, signingMissing(err)
	}
	return row.ceremony()
}

// OpenCeremony is the ceremony with an open preparation of the document.
func (s signingStore) OpenCeremony(ctx context.Context, id signing.DocumentID) (signing.Ceremony, error) {
	row, err := ceremonies.get(ctx, s.Read, `id = (SELECT ceremony FROM signatures
		WHERE document = ? AND state IN ('prepared', 'intended', 'signed', 'assembled'))`, id)
	if err != nil {
		return signing.Ceremony{}, signingMissing(err)
	}
	return row.ceremony()
}
