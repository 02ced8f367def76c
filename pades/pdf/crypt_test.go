package pdf_test

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"countersign/pades/pdf"
	"countersign/pades/pdf/pdftest"
)

func encrypted(t *testing.T, plain []byte, args ...string) []byte {
	t.Helper()
	qpdf, err := exec.LookPath("qpdf")
	require.NoError(t, err, "qpdf is missing: run `make setup`")
	in, out := filepath.Join(t.TempDir(), "in.pdf"), filepath.Join(t.TempDir(), "out.pdf")
	require.NoError(t, os.WriteFile(in, plain, 0o600))
	msg, err := exec.Command(qpdf, append(append([]string{"--allow-weak-crypto", "--encrypt"}, args...), "--", in, out)...).CombinedOutput()
	require.NoError(t, err, string(msg))
	b, err := os.ReadFile(out)
	require.NoError(t, err)
	return b
}

func secret() []byte {
	b := pdftest.New("%PDF-1.7\n")
	b.Pages(1, "/AcroForm 4 0 R /Lang (plain text)")
	b.Object(4, "<</Fields [5 0 R] /Note (in the form)>>")
	b.Object(5, "<</T (name) /FT /Tx>>")
	b.Table("/Root 1 0 R")
	return b.Bytes()
}

func TestEncryptedStringsAreReadAndWritten(t *testing.T) {
	for name, args := range map[string][]string{
		"RC4 40":         {"", "owner", "40"},
		"RC4 128":        {"", "owner", "128", "--use-aes=n"},
		"AES 128":        {"", "owner", "128", "--use-aes=y"},
		"AES 256":        {"", "owner", "256"},
		"AES 256 R5":     {"", "owner", "256", "--force-R5"},
		"cleartext":      {"", "owner", "128", "--cleartext-metadata", "--use-aes=y"},
		"RC4 128 V4":     {"", "owner", "128", "--force-V4", "--use-aes=n"},
		"owner is empty": {"user", "", "128", "--use-aes=y"},
	} {
		t.Run(name, func(t *testing.T) {
			b := encrypted(t, secret(), args...)
			if name == "owner is empty" {
				// With an empty owner password writers use the user password for both.
				_, err := pdf.Open(bytes.NewReader(b), int64(len(b)), pdf.Options{})
				require.ErrorIs(t, err, pdf.ErrPassword)
				return
			}
			f := open(t, b)
			fields, err := f.Fields()
			require.NoError(t, err)
			require.Equal(t, "name", fields[0].Name)
			form, err := f.Form()
			require.NoError(t, err)

			u, err := f.NewUpdate()
			require.NoError(t, err)
			o, err := u.Edit(form.At)
			require.NoError(t, err)
			o.(*pdf.Dict).Set("Added", pdf.Text("very new"))
			u.Add(pdf.NewDict(pdf.Name("S"), pdf.Text("string in a new object")))
			out, err := u.Append(nil, rand.Reader)
			require.NoError(t, err)
			require.NotContains(t, string(out.Bytes), "very new")
			require.NotContains(t, string(out.Bytes), "new object")

			whole := append(b, out.Bytes...)
			form, err = open(t, whole).Form()
			require.NoError(t, err)
			require.Equal(t, "in the form", form.Dict.Get("Note").(pdf.String).Text())
			require.Equal(t, "very new", form.Dict.Get("Added").(pdf.String).Text())

			// Another reader agrees.
			path := filepath.Join(t.TempDir(), "x.pdf")
			require.NoError(t, os.WriteFile(path, whole, 0o600))
			msg, err := exec.Command("qpdf", "--decrypt", "--qdf", path, "-").CombinedOutput()
			require.NoError(t, err, string(msg))
			require.Contains(t, string(msg), "(very new)")
			require.Contains(t, string(msg), "(in the form)")
		})
	}
}

func TestAPasswordIsAskedFor(t *testing.T) {
	for _, bits := range []string{"128", "256"} {
		b := encrypted(t, secret(), "user", "owner", bits)
		for _, wrong := range []string{"", "hunter2"} {
			_, err := pdf.Open(bytes.NewReader(b), int64(len(b)), pdf.Options{Password: wrong})
			require.ErrorIs(t, err, pdf.ErrPassword)
			require.NotContains(t, err.Error(), "hunter2")
		}
	}
}

func TestThePasswordOfTheUserOrTheOwnerOpens(t *testing.T) {
	long := strings.Repeat("long ", 40)
	for name, more := range map[string][]string{
		"RC4 40":     {"40"},
		"RC4 128":    {"128", "--use-aes=n"},
		"RC4 128 V4": {"128", "--force-V4", "--use-aes=n"},
		"AES 128":    {"128", "--use-aes=y"},
		"AES 256 R5": {"256", "--force-R5"},
		"AES 256":    {"256"},
	} {
		for i, p := range [][2]string{{"user", "owner"}, {"Grüße €", "straße"}, {"пароль", "хозяин"}, {long, "own" + long}} {
			t.Run(name+" "+strconv.Itoa(i), func(t *testing.T) {
				b := encrypted(t, secret(), append(p[:], more...)...)
				for _, password := range p {
					f, err := pdf.Open(bytes.NewReader(b), int64(len(b)), pdf.Options{Password: password})
					require.NoError(t, err)
					form, err := f.Form()
					require.NoError(t, err)
					require.Equal(t, "in the form", form.Dict.Get("Note").(pdf.String).Text())
					whole, err := f.At(int64(len(b)))
					require.NoError(t, err, "an earlier version is opened with the same password")
					require.True(t, whole.Encrypted())
				}
			})
		}
	}
}

// The hash of R 6 ends by chance after 64 rounds or more, so one or two files prove
// nothing. qpdf takes many jobs in one file of arguments only one by one; what costs is
// the start of the program, so both passwords of each file are tried.
func TestTheHashOfRevision6EndsInTheRightRound(t *testing.T) {
	plain := secret()
	for i := range 150 {
		user, owner := "", "owner"
		if i%2 == 1 {
			user, owner = fmt.Sprintf("user %d", i), fmt.Sprintf("owner %d", i)
		}
		b := encrypted(t, plain, user, owner, "256")
		for _, p := range []string{user, owner} {
			f, err := pdf.Open(bytes.NewReader(b), int64(len(b)), pdf.Options{Password: p})
			require.NoError(t, err)
			fields, err := f.Fields()
			require.NoError(t, err)
			require.Equal(t, "name", fields[0].Name)
		}
	}
}
