package pades_test

import (
	"fmt"
	"maps"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"countersign/pades"
	"countersign/pades/cms"
	"countersign/pades/padestest"
)

const pictureless = "<</Type /XObject /Subtype /Form /BBox [0 0 80 20] /Resources <</Font <</F 20 0 R>>>> /Length %d>>\nstream\n%s\nendstream"

func look(content string) string { return fmt.Sprintf(pictureless, len(content), content) }

// form is a page of a form to fill in: texts, a box, buttons in a row, a list, and notes.
func form(lock string) []byte {
	tx := func(name, more string) string {
		return "<</Type /Annot /Subtype /Widget /FT /Tx /T (" + name + ") /Rect [10 10 90 30] /P 3 0 R " + more + ">>"
	}
	return update([]byte("%PDF-1.7\n"), map[int]string{
		1:  "<</Type /Catalog /Pages 2 0 R /AcroForm 5 0 R /Metadata 19 0 R>>",
		2:  "<</Type /Pages /Kids [3 0 R] /Count 1 /MediaBox [0 0 300 200]>>",
		3:  formPage("16 0 R 17 0 R 18 0 R"),
		4:  "<</Length 24>>\nstream\n0 0 m 100 100 l S       \nendstream",
		5:  "<</Fields [6 0 R 7 0 R 8 0 R 9 0 R 10 0 R 11 0 R 14 0 R 15 0 R] /DR <</Font <</F 20 0 R>>>> /DA (/F 12 Tf 0 g)>>",
		6:  tx("Amount", "/V (100) /AP <</N 21 0 R>> /MK <</BG [1 1 1]>>"),
		7:  "<</Type /Annot /Subtype /Widget /FT /Sig /T (Approval) /Rect [0 0 0 0] /P 3 0 R " + lock + ">>",
		8:  tx("Date", ""),
		9:  tx("Total", "/Ff 1 /V (100)"),
		10: "<</Type /Annot /Subtype /Widget /FT /Btn /T (Agree) /Rect [10 40 20 50] /P 3 0 R /V /Off /AS /Off /AP <</N <</Yes 22 0 R /Off 23 0 R>>>>>>",
		11: "<</FT /Btn /Ff 32768 /T (Pay) /V /Off /Kids [12 0 R 13 0 R]>>",
		12: "<</Type /Annot /Subtype /Widget /Parent 11 0 R /Rect [30 40 40 50] /P 3 0 R /AS /Off /AP <</N <</Cash 22 0 R /Off 23 0 R>>>>>>",
		13: "<</Type /Annot /Subtype /Widget /Parent 11 0 R /Rect [50 40 60 50] /P 3 0 R /AS /Off /AP <</N <</Card 22 0 R /Off 23 0 R>>>>>>",
		14: "<</Type /Annot /Subtype /Widget /FT /Ch /T (Country) /Opt [(DE) (FR)] /Rect [70 40 90 50] /P 3 0 R>>",
		15: "<</Type /Annot /Subtype /Widget /FT /Btn /Ff 65536 /T (Send) /Rect [70 60 90 70] /P 3 0 R>>",
		16: "<</Type /Annot /Subtype /Text /Contents (Please check) /Rect [0 0 9 9] /P 3 0 R>>",
		17: "<</Type /Annot /Subtype /Stamp /Rect [100 0 140 40] /P 3 0 R /AP <</N 24 0 R>>>>",
		18: "<</Type /Annot /Subtype /Highlight /QuadPoints [0 0 9 0 0 9 9 9] /Rect [0 0 9 9] /CA 0>>",
		19: xmp("2026-01-01", "Form"),
		20: "<</Type /Font /Subtype /Type1 /BaseFont /Helvetica>>",
		21: look("100 "),
		22: look("n   "),
		23: look("    "),
		24: look("S   "),
		25: "<</Type /Page /Parent 2 0 R /Contents 4 0 R /Resources <<>>>>",
		26: "<</Type /Annot /Subtype /Highlight /Rect [0 0 9 9]>>", // on no page
	}, "/Info 40 0 R")
}

func formPage(notes string) string {
	return "<</Type /Page /Parent 2 0 R /Contents 4 0 R /Annots [6 0 R 7 0 R 8 0 R 9 0 R 10 0 R 12 0 R 13 0 R 14 0 R 15 0 R " + notes + "] /Resources <<>>>>"
}

func xmp(date, title string) string {
	x := `<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">` +
		`<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/" xmp:MetadataDate="` + date + `">` +
		`<xmp:ModifyDate>` + date + `</xmp:ModifyDate><dc:title>` + title + `</dc:title></rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>`
	return fmt.Sprintf("<</Type /Metadata /Subtype /XML /Length %d>>\nstream\n%s\nendstream", len(x), x)
}

type objects = map[int]string

func with(a objects, more objects) objects {
	a = maps.Clone(a)
	maps.Copy(a, more)
	return a
}

const amount = "<</Type /Annot /Subtype /Widget /FT /Tx /T (Amount) /Rect [10 10 90 30] /P 3 0 R /V (250) /AP <</N %s>> /MK <</BG [1 1 1]>> %s>>"

func amountWith(n, more string) string { return fmt.Sprintf(amount, n, more) }

// fills are what a person does who fills in the form.
var fills = map[string]objects{
	"a text, with a new look":      {6: amountWith("50 0 R", "/M (D:2026)"), 50: look("BT /F 12 Tf (250 Do) Tj ET")},
	"a text, its look in place":    {6: amountWith("21 0 R", ""), 21: look("BT /F 12 Tf (250) Tj ET")},
	"a text without a look":        {8: "<</Type /Annot /Subtype /Widget /FT /Tx /T (Date) /Rect [10 10 90 30] /P 3 0 R /V (Today)>>"},
	"a box":                        {10: "<</Type /Annot /Subtype /Widget /FT /Btn /T (Agree) /Rect [10 40 20 50] /P 3 0 R /V /Yes /AS /Yes /AP <</N <</Yes 22 0 R /Off 23 0 R>>>>>>"},
	"one button of a row":          {11: "<</FT /Btn /Ff 32768 /T (Pay) /V /Card /Kids [12 0 R 13 0 R]>>", 13: "<</Type /Annot /Subtype /Widget /Parent 11 0 R /Rect [50 40 60 50] /P 3 0 R /AS /Card /AP <</N <</Card 22 0 R /Off 23 0 R>>>>>>"},
	"a choice":                     {14: "<</Type /Annot /Subtype /Widget /FT /Ch /T (Country) /Opt [(DE) (FR)] /Rect [70 40 90 50] /P 3 0 R /V (FR) /I [1]>>"},
	"a text and the metadata date": {6: amountWith("21 0 R", ""), 19: xmp("2026-02-02", "Form")},
}

func TestAFormIsFilledInAsItsAuthorPermits(t *testing.T) {
	for p := 1; p <= 3; p++ {
		file := signFile(t, form(""), signing{opts: pades.Options{Field: "Approval", Certify: p}})
		for name, objs := range fills {
			t.Run(fmt.Sprintf("P=%d, %s", p, name), func(t *testing.T) {
				r := check(t, update(file, objs, ""))
				require.Equal(t, p > 1, r.Indication == pades.TotalPassed, report(r))
				if p == 1 {
					require.Contains(t, report(r), "which its author does not permit")
				} else {
					require.Contains(t, report(r), "One form field was filled in, as the author permits: \"")
				}
			})
		}
	}
	approved := signFile(t, form(""), signing{opts: pades.Options{Field: "Approval"}})
	for name, objs := range fills {
		t.Run("without leave, "+name, func(t *testing.T) {
			require.Contains(t, report(notGreen(t, update(approved, objs, ""))), "was filled in or changed")
		})
	}
	t.Run("step by step, and signed in between", func(t *testing.T) {
		file := signFile(t, form(""), signing{opts: pades.Options{Field: "Approval", Certify: 2}})
		file = update(file, fills["a text, with a new look"], "")
		file = signFile(t, file, signing{})
		file = update(file, with(fills["a box"], objects{40: "<</ModDate (D:2026)>>"}), "/Info 40 0 R")
		r := check(t, file)
		require.Equal(t, pades.TotalPassed, r.Indication, report(r))
		require.Contains(t, report(r), `2 form fields were filled in, as the author permits: "Agree", "Amount". Added: one signature.`)
	})
}

// What goes beyond filling in, on a file whose author permits it and notes as well.
func TestWhatFillingInDoesNotNeedIsNotGreen(t *testing.T) {
	file := signFile(t, form(""), signing{opts: pades.Options{Field: "Approval", Certify: 3}})
	plain := amountWith("21 0 R", "")
	kid := "<</Type /Annot /Subtype /Widget /Parent %s /Rect [50 40 60 50] /P 3 0 R /AS /%s /AP <</N <</Card %s /Off 23 0 R>>>>>>"
	pay := "<</FT /Btn /Ff 32768 /T (Pay) /V /%s /Kids [%s]>>"
	font3 := "<</Type /Font /Subtype /Type3 /FontBBox [0 0 9 9] /CharProcs <<>>>>"
	for name, c := range map[string]struct {
		objs objects
		want string
	}{
		"its colours":                {objects{6: strings.Replace(plain, "[1 1 1]", "[0 0 0]", 1)}, `entry "MK"`},
		"its place":                  {objects{6: strings.Replace(plain, "[10 10 90 30]", "[0 0 300 200]", 1)}, `entry "Rect"`},
		"hidden":                     {objects{6: amountWith("21 0 R", "/F 2")}, `entry "F"`},
		"a layer":                    {objects{6: amountWith("21 0 R", "/OC 1 0 R")}, `entry "OC"`},
		"an action":                  {objects{6: amountWith("21 0 R", "/A <</S /JavaScript /JS (x)>>")}, `entry "A"`},
		"more actions":               {objects{6: amountWith("21 0 R", "/AA <</K <</S /JavaScript /JS (x)>>>>")}, `entry "AA"`},
		"a default":                  {objects{6: amountWith("21 0 R", "/DV (9)")}, `entry "DV"`},
		"another font":               {objects{6: amountWith("21 0 R", "/DA (/X 0 Tf)")}, `entry "DA"`},
		"another owner":              {objects{6: amountWith("21 0 R", "/Parent 11 0 R")}, `entry "Parent"`},
		"kids":                       {objects{6: amountWith("21 0 R", "/Kids [9 0 R]")}, "form field"},
		"another kind":               {objects{6: strings.Replace(plain, "/FT /Tx", "/FT /Ch", 1)}, "is of another kind"},
		"another name":               {objects{6: strings.Replace(plain, "(Amount)", "(Fee)", 1)}, "is of another kind"},
		"a signature field by now":   {objects{6: strings.Replace(plain, "/FT /Tx", "/FT /Sig", 1)}, "is of another kind"},
		"read only from now on":      {objects{6: amountWith("21 0 R", "/Ff 1")}, "is of another kind"},
		"a read-only field":          {objects{9: "<</Type /Annot /Subtype /Widget /FT /Tx /T (Total) /Rect [10 10 90 30] /P 3 0 R /Ff 1 /V (999)>>"}, "is not there to be filled in"},
		"a button to push":           {objects{15: "<</Type /Annot /Subtype /Widget /FT /Btn /Ff 65536 /T (Send) /Rect [70 60 90 70] /P 3 0 R /AP <</N 50 0 R>>>>", 50: look("n ")}, "is not there to be filled in"},
		"a value that is a name":     {objects{6: strings.Replace(plain, "(250)", "/Yes", 1)}, `entry "V"`},
		"a value elsewhere":          {objects{6: strings.Replace(plain, "(250)", "16 0 R", 1)}, `entry "V"`},
		"the look of a stamp":        {objects{6: amountWith("24 0 R", "")}, "look of something else"},
		"the page as its look":       {objects{6: amountWith("4 0 R", "")}, "look of something else"},
		"a look when pressed":        {objects{6: amountWith("21 0 R /D 50 0 R", ""), 50: look("n ")}, `entry "D"`},
		"a look with a picture":      {objects{6: amountWith("50 0 R", ""), 50: strings.Replace(look("/X Do"), "/Font <<", "/XObject <</X 24 0 R>> /Font <<", 1)}, "a look of more than text"},
		"a look with one in line":    {objects{6: amountWith("50 0 R", ""), 50: look("q BI /W 1 ID x EI Q")}, "a look of more than text"},
		"a look with shades":         {objects{6: amountWith("50 0 R", ""), 50: look("(\\() Tj /S sh")}, "a look of more than text"},
		"a look with drawn letters":  {objects{6: amountWith("50 0 R", ""), 50: strings.Replace(look("n"), "20 0 R", "51 0 R", 1), 51: font3}, "a look of more than text"},
		"a look kept elsewhere":      {objects{6: amountWith("50 0 R", ""), 50: strings.Replace(look("n"), "/BBox", "/F (other.pdf) /BBox", 1)}, "a look of more than text"},
		"a look in a layer":          {objects{6: amountWith("50 0 R", ""), 50: strings.Replace(look("n"), "/BBox", "/OC 1 0 R /BBox", 1)}, "a look of more than text"},
		"the font replaced":          {objects{6: plain, 21: look("n"), 20: font3}, "a look of more than text"},
		"a box that shows no value":  {objects{10: "<</Type /Annot /Subtype /Widget /FT /Btn /T (Agree) /Rect [10 40 20 50] /P 3 0 R /V /Off /AS /Yes /AP <</N <</Yes 22 0 R /Off 23 0 R>>>>>>"}, "something else than its value"},
		"a box that hides its value": {objects{10: "<</Type /Annot /Subtype /Widget /FT /Btn /T (Agree) /Rect [10 40 20 50] /P 3 0 R /V /Yes /AS /Off /AP <</N <</Yes 22 0 R /Off 23 0 R>>>>>>"}, "something else than its value"},
		"a state with another look":  {objects{22: look("S")}, "object 22 is another one"},
		"a box with another look":    {objects{10: "<</Type /Annot /Subtype /Widget /FT /Btn /T (Agree) /Rect [10 40 20 50] /P 3 0 R /V /Yes /AS /Yes /AP <</N <</Yes 24 0 R /Off 23 0 R>>>>>>"}, `entry "AP"`},
		"a button with another look": {objects{11: fmt.Sprintf(pay, "Card", "12 0 R 13 0 R"), 13: fmt.Sprintf(kid, "11 0 R", "Card", "24 0 R")}, `entry "AP"`},
		"a button of another field":  {objects{13: fmt.Sprintf(kid, "10 0 R", "Off", "22 0 R")}, `entry "Parent"`},
		"one button less":            {objects{11: fmt.Sprintf(pay, "Off", "12 0 R")}, `entry "Kids"`},
		"other options":              {objects{14: "<</Type /Annot /Subtype /Widget /FT /Ch /T (Country) /Opt [(IT) (FR)] /Rect [70 40 90 50] /P 3 0 R>>"}, `entry "Opt"`},
		"an order of calculation":    {objects{5: "<</Fields [6 0 R 7 0 R 8 0 R 9 0 R 10 0 R 11 0 R 14 0 R 15 0 R] /DR <</Font <</F 20 0 R>>>> /DA (/F 12 Tf 0 g) /CO [9 0 R]>>"}, "the entry CO of its form"},
		"looks made anew":            {objects{5: "<</Fields [6 0 R 7 0 R 8 0 R 9 0 R 10 0 R 11 0 R 14 0 R 15 0 R] /DR <</Font <</F 20 0 R>>>> /DA (/F 12 Tf 0 g) /NeedAppearances true>>"}, "the entry NeedAppearances of its form"},
		"XFA":                        {objects{5: "<</Fields [6 0 R 7 0 R 8 0 R 9 0 R 10 0 R 11 0 R 14 0 R 15 0 R] /DR <</Font <</F 20 0 R>>>> /DA (/F 12 Tf 0 g) /XFA [(datasets) 50 0 R]>>", 50: look("n")}, "its XFA form was changed"},
		"another title":              {objects{6: plain, 21: look("n"), 19: xmp("2026-02-02", "Contract")}, "description (title, author, dates)"},
		"only the date":              {objects{19: xmp("2026-02-02", "Form")}, "description (title, author, dates)"},
		"another page":               {objects{6: plain, 21: look("n"), 2: "<</Type /Pages /Kids [3 0 R 25 0 R] /Count 2 /MediaBox [0 0 300 200]>>"}, "a page was added"},
	} {
		t.Run(name, func(t *testing.T) {
			r := notGreen(t, update(file, c.objs, ""))
			require.Equal(t, pades.Indeterminate, r.Signatures[0].Indication, report(r))
			require.Contains(t, strings.ToLower(r.Signatures[0].Explanation), strings.ToLower(c.want))
		})
	}
	// One drawing for the field and for the page.
	shared := update(form(""), objects{3: strings.Replace(formPage(""), "/Resources <<>>", "/Resources <</XObject <</X 21 0 R>>>>", 1)}, "")
	for name, base := range map[string][]byte{"the page's drawing": shared, "a drawing the trailer names": update(form(""), nil, "/Spare 21 0 R")} {
		t.Run(name, func(t *testing.T) {
			file := signFile(t, base, signing{opts: pades.Options{Field: "Approval", Certify: 3}})
			more := ""
			if name != "the page's drawing" {
				more = "/Spare 21 0 R"
			}
			r := notGreen(t, update(file, fills["a text, its look in place"], more))
			require.Contains(t, report(r), "used elsewhere as well (object 21)")
		})
	}
}

// FieldMDP: what is locked stays, what every signature leaves open may be filled in.
func TestLocksDecideWhichFieldsMayBeFilledIn(t *testing.T) {
	for _, c := range []struct {
		lock    string
		certify int
		green   bool
		second  bool // an approval that says nothing of fields
		says    string
	}{
		{"/Lock <</Type /SigFieldLock /Action /Include /Fields [(Total)]>>", 0, true, false, `One form field was filled in that no signature locks: "Amount".`},
		{"/Lock <</Type /SigFieldLock /Action /Exclude /Fields [(Amount)]>>", 0, true, false, "no signature locks"},
		{"/Lock <</Type /SigFieldLock /Action /Include /Fields [(Total)]>>", 0, false, true, "was filled in or changed"},
		{"/Lock <</Type /SigFieldLock /Action /Include /Fields [(Amount)]>>", 0, false, false, `The field "Amount" was changed although an earlier signature locks it.`},
		{"/Lock <</Type /SigFieldLock /Action /Exclude /Fields [(Date)]>>", 0, false, false, "although an earlier signature locks it"},
		{"/Lock <</Type /SigFieldLock /Action /All>>", 0, false, false, "although an earlier signature locks it"},
		{"/Lock <</Type /SigFieldLock /Action /Include /Fields []>>", 0, false, false, "was filled in or changed"},
		{"", 2, true, true, "as the author permits"},
	} {
		t.Run(fmt.Sprintf("%s P=%d", c.lock, c.certify), func(t *testing.T) {
			file := signFile(t, form(c.lock), signing{opts: pades.Options{Field: "Approval", Certify: c.certify}})
			if c.second {
				file = signFile(t, file, signing{})
			}
			r := check(t, update(file, fills["a text, its look in place"], ""))
			require.Equal(t, c.green, r.Indication == pades.TotalPassed, report(r))
			require.Contains(t, report(r), c.says)
		})
	}
}

// A permission may not be slipped in after a signature, nor made weaker.
func TestPermissionsComeBeforeTheSignatureThatIsJudged(t *testing.T) {
	fill := fills["a text, its look in place"]
	signed := signFile(t, form(""), signing{})
	mdp := "/Reference [<</Type /SigRef /TransformMethod /DocMDP /TransformParams <</Type /TransformParams /P 3 /V /1.2>>>>]"
	later := update(signed, objects{7: "<</Type /Annot /Subtype /Widget /FT /Sig /T (Approval) /Rect [0 0 0 0] /P 3 0 R /V 60 0 R>>",
		60: "<</Type /Sig /Filter /Adobe.PPKLite /SubFilter /ETSI.CAdES.detached /ByteRange [0 1 2 3] /Contents <00> " + mdp + ">>",
		1:  "<</Type /Catalog /Pages 2 0 R /AcroForm 5 0 R /Metadata 19 0 R /Perms <</DocMDP 60 0 R>>>>"}, "")
	r := notGreen(t, update(later, fill, ""))
	require.NotEqual(t, pades.TotalPassed, r.Signatures[0].Indication, report(r))

	for name, base := range map[string][]byte{
		"a certification that does not hold": signFile(t, form(""), signing{opts: pades.Options{Field: "Approval", Certify: 2}, forged: func(u *cms.Unsigned) []byte {
			v, err := cms.SignLocal(u, theAuthority().signerKey)
			require.NoError(t, err)
			der, err := u.Complete(v, nil)
			require.NoError(t, err)
			der[len(der)-1] ^= 1
			return der
		}}),
		"one that the catalog does not name": update(signFile(t, form(""), signing{opts: pades.Options{Field: "Approval", Certify: 2}}),
			objects{1: "<</Type /Catalog /Pages 2 0 R /AcroForm 5 0 R /Metadata 19 0 R>>"}, ""),
	} {
		t.Run(name, func(t *testing.T) {
			second := signFile(t, base, signing{})
			require.Equal(t, pades.TotalPassed, check(t, second).Signatures[1].Indication, "before it is filled in")
			r := notGreen(t, update(second, fill, ""))
			require.NotEqual(t, pades.TotalPassed, r.Signatures[1].Indication, report(r))
		})
	}
	t.Run("an author's own word in an object that is replaced", func(t *testing.T) {
		file := signFile(t, form(""), signing{opts: pades.Options{Field: "Approval", Certify: 2}})
		n := signatureObject(t, file)
		body := regexp.MustCompile(fmt.Sprintf(`(?s)\n%d 0 obj\n(.*?)\nendobj`, n)).FindSubmatch(file)
		require.NotNil(t, body)
		wider := update(file, objects{n: regexp.MustCompile(`/P 2\b`).ReplaceAllString(string(body[1]), "/P 3")}, "")
		r := notGreen(t, update(wider, notesOf(note("Text", "")), ""))
		require.NotEqual(t, pades.TotalPassed, r.Signatures[0].Indication, report(r))
	})
}

func note(kind, more string) string {
	return "<</Type /Annot /Subtype /" + kind + " /Rect [0 0 200 100] /Contents (Really?) /QuadPoints [0 0 9 0 0 9 9 9] /P 3 0 R " + more + ">>"
}

// notesOf adds one annotation to the page.
func notesOf(body string) objects {
	return objects{3: formPage("16 0 R 17 0 R 18 0 R 50 0 R"), 50: body, 51: look("0 0 200 100 re f")}
}

// EAA: under P=3 notes are permitted, what can write, cover or act is named.
func TestOnlyNotesPassWhereTheAuthorPermitsAnnotations(t *testing.T) {
	green := map[string]objects{
		"a note":               notesOf(note("Text", "/C [1 1 0] /Open false /CA 0.5")),
		"a marking":            notesOf(note("Highlight", "/C [1 1 0]")),
		"a line below":         notesOf(note("Underline", "")),
		"a line through":       notesOf(note("StrikeOut", "")),
		"a wavy line":          notesOf(note("Squiggly", "")),
		"a note with a window": {3: formPage("16 0 R 17 0 R 18 0 R 50 0 R"), 50: note("Text", "/Popup 51 0 R"), 51: "<</Type /Annot /Subtype /Popup /Rect [0 0 9 9] /Parent 50 0 R>>"},
		"a note changed":       {16: "<</Type /Annot /Subtype /Text /Contents (Checked) /Rect [0 0 9 9] /P 3 0 R>>"},
		"a note removed":       {3: formPage("17 0 R 18 0 R"), 16: "free"},
		"a note freed":         {16: "free"},
	}
	red := map[string]struct {
		objs objects
		want string
	}{
		"a link with an action":    {notesOf(note("Link", "/A <</S /URI /URI (http://example.com)>>")), `the kind "Link"`},
		"a note with an action":    {notesOf(note("Text", "/A <</S /JavaScript /JS (x)>>")), `entry "A"`},
		"a note with more actions": {notesOf(note("Text", "/AA <<>>")), `entry "AA"`},
		"a marking that draws":     {notesOf(note("Highlight", "/AP <</N 51 0 R>>")), `entry "AP"`},
		"a note in a layer":        {notesOf(note("Text", "/OC <<>>")), `entry "OC"`},
		"a window that draws":      {objects{3: formPage("16 0 R 17 0 R 18 0 R 50 0 R"), 50: note("Text", "/Popup 51 0 R"), 51: note("Popup", "/AP <</N 52 0 R>>"), 52: look("n")}, `entry "AP"`},
		"no kind at all":           {notesOf("<</Type /Annot /Rect [0 0 9 9]>>"), "the kind"},
		"a widget of no field":     {notesOf(note("Widget", "/FT /Tx /T (x)")), `the kind "Widget"`},
		"a stamp removed":          {objects{3: formPage("16 0 R 18 0 R")}, "may have shown"},
		"a stamp changed":          {objects{17: "<</Type /Annot /Subtype /Stamp /Rect [0 0 300 200] /P 3 0 R /AP <</N 24 0 R>>>>"}, "may have shown"},
		"a stamp hidden":           {objects{17: "<</Type /Annot /Subtype /Stamp /Rect [100 0 140 40] /P 3 0 R /F 2 /AP <</N 24 0 R>>>>"}, "may have shown"},
		"a stamp freed":            {objects{17: "free"}, "may have shown"},
		"a stamp for a note":       {objects{16: note("Stamp", "/AP <</N 24 0 R>>")}, "may have shown"},
		"an opacity for two":       {objects{18: strings.Replace(note("Highlight", ""), ">>", "/CA 1>>", 1)}, "may have shown"},
		"one that waited":          {objects{3: formPage("16 0 R 17 0 R 18 0 R 26 0 R")}, "had been in the file before"},
		"another order":            {objects{3: formPage("18 0 R 17 0 R 16 0 R")}, "marks on a page"},
		"a field off the page":     {objects{3: strings.Replace(formPage("16 0 R 17 0 R 18 0 R"), "6 0 R ", "", 1)}, "may have shown"},
	}
	for _, kind := range []string{"FreeText", "Stamp", "Redact", "Ink", "Square", "Line", "Polygon", "Caret", "FileAttachment", "Watermark", "Screen", "Movie", "3D"} {
		red["of the kind "+kind] = struct {
			objs objects
			want string
		}{notesOf(note(kind, "/AP <</N 51 0 R>>")), fmt.Sprintf("the kind %q", kind)}
	}
	for p := 0; p <= 3; p++ {
		file := signFile(t, form(""), signing{opts: pades.Options{Field: "Approval", Certify: p}})
		for name, objs := range green {
			t.Run(fmt.Sprintf("P=%d, %s", p, name), func(t *testing.T) {
				r := check(t, update(file, objs, ""))
				require.Equal(t, p == 3, r.Indication == pades.TotalPassed, report(r))
				if p == 3 {
					require.Contains(t, report(r), "One annotation was added, changed or removed, as the author permits.")
				} else {
					require.Contains(t, report(r), "changed after signing")
					require.Equal(t, p > 0, strings.Contains(report(r), "which its author does not permit"), report(r))
				}
			})
		}
		for name, c := range red {
			t.Run(fmt.Sprintf("P=%d, %s", p, name), func(t *testing.T) {
				r := notGreen(t, update(file, c.objs, ""))
				require.Equal(t, pades.Indeterminate, r.Signatures[0].Indication, report(r))
				if p == 3 {
					require.Contains(t, r.Signatures[0].Explanation, c.want)
				}
			})
		}
	}
}

func TestNamesOutOfAFileAreQuotedAndShort(t *testing.T) {
	base := update(form(""), objects{8: "<</Type /Annot /Subtype /Widget /FT /Tx /T <FEFF0044202E000A" + strings.Repeat("0041", 500) + "> /Rect [10 10 90 30] /P 3 0 R>>"}, "")
	file := signFile(t, base, signing{opts: pades.Options{Field: "Approval", Certify: 2}})
	r := check(t, update(file, objects{8: "<</Type /Annot /Subtype /Widget /FT /Tx /T <FEFF0044202E000A" + strings.Repeat("0041", 500) + "> /Rect [10 10 90 30] /P 3 0 R /V (x)>>"}, ""))
	require.Equal(t, pades.TotalPassed, r.Indication, report(r))
	for _, c := range r.Signatures[0].Checks {
		require.Less(t, len(c.Text), 200)
		require.NotContains(t, c.Text, "\u202e")
		require.NotContains(t, c.Text, "\n")
	}
}

// ISO 32000-2, table 236: a signature in such a field closes the document though it does not
// certify.
func TestALockThatClosesTheDocumentIsKept(t *testing.T) {
	file := update(paper(), map[int]string{7: "<</Type /Annot /Subtype /Widget /FT /Sig /T (Approval) /Rect [100 10 190 30] /P 3 0 R " +
		"/Lock <</Type /SigFieldLock /Action /Include /Fields [(Approval)] /P 1>>>>"}, "")
	p := pki(t)
	locked := timestamped(t, p, file, p.Issue("Ada Example", padestest.Key(), nil), pades.Options{Field: "Approval"})
	require.Equal(t, "B-T", passes(t, p, locked, p.Now()))
	lta, _ := extend(t, locked, extension(p, "B-LTA"))
	require.Equal(t, "B-LTA", passes(t, p, lta, p.Now()), "proof may follow")

	filled := update(locked, map[int]string{6: "<</Type /Annot /Subtype /Widget /FT /Tx /T (Amount) /V (900) /Rect [10 10 90 30] /P 3 0 R>>"}, "")
	r := checkWith(t, filled, pades.VerifyOptions{Roots: p.Roots()})
	require.Equal(t, pades.Indeterminate, r.Indication, report(r))
	require.Contains(t, r.Signatures[0].Explanation, "changed")
}
