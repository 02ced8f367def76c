package db

import (
	"context"

	"countersign/people"
)

// personRow is a row of people.
type personRow struct {
	ID         people.ID `db:"id"`
	Issuer     string    `db:"issuer"`
	Subject    string    `db:"subject"`
	Name       string    `db:"name"`
	GivenName  string    `db:"given_name"`
	FamilyName string    `db:"family_name"`
	Email      string    `db:"email"`
	Phone      string    `db:"phone"`
	Roles      string    `db:"roles"`
	Disabled   bool      `db:"disabled"`
	DTMUser    string    `db:"dtm_user"`
	Language   string    `db:"language"`
	Scheme     string    `db:"scheme"`
	Browser    string    `db:"browser"`
	Default    string    `db:"default_credential"`
	CreatedAt  int64     `db:"created_at"`
	SeenAt     int64     `db:"seen_at"`
	Version    int64     `db:"version"`
}

var persons = newTable[personRow]("people")

func toPersonRow(p people.Person) personRow {
	roles := p.Roles
	if roles == nil {
		roles = []people.Role{}
	}
	return personRow{
		ID: p.ID, Issuer: p.Issuer, Subject: p.Subject, Name: p.Name, GivenName: p.GivenName, FamilyName: p.FamilyName,
		Email: p.Email, Phone: p.Phone, Roles: toJSON(roles), Disabled: p.Disabled, DTMUser: p.DTMUser,
		Language: p.Language, Browser: p.Browser, Scheme: p.Scheme, Default: p.Default, CreatedAt: ms(p.CreatedAt), SeenAt: ms(p.SeenAt), Version: p.Version,
	}
}

func (r personRow) person() (people.Person, error) {
	roles, err := fromJSON[[]people.Role](r.Roles)
	return people.Person{
		ID: r.ID, Issuer: r.Issuer, Subject: r.Subject, Name: r.Name, GivenName: r.GivenName, FamilyName: r.FamilyName,
		Email: r.Email, Phone: r.Phone, Roles: roles, Disabled: r.Disabled, DTMUser: r.DTMUser,
		Language: r.Language, Browser: r.Browser, Scheme: r.Scheme, Default: r.Default, CreatedAt: at(r.CreatedAt), SeenAt: at(r.SeenAt), Version: r.Version,
	}, err
}

// person by id; sql.ErrNoRows when there is none.
func (d *DB) person(ctx context.Context, id people.ID) (people.Person, error) {
	row, err := persons.get(ctx, d.Read, "id = ?", id)
	if err != nil {
		return people.Person{}, err
	}
	return row.person()
}
