package ui

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"strings"
	"time"
)

// Pages of HTML: each one file for a change ticket, which needs nothing but itself. The
// templates escape all that they are given: no text of a plan, a device or a person is ever
// of a type of html/template's.

var (
	//go:embed page/*.html
	pageFiles embed.FS
	//go:embed page/page.css
	pageStyle string
	//go:embed page/page.js
	pageScript string

	planPage   = pageTemplate("plan.html")
	recordPage = pageTemplate("record.html")

	// pagePolicy lets a browser load nothing, and run nothing but the page's own script.
	pagePolicy = fmt.Sprintf("default-src 'none'; style-src %s; script-src %s; base-uri 'none'; form-action 'none'",
		sourceHash(pageStyle), sourceHash(pageScript))
)

func pageTemplate(name string) *template.Template {
	return template.Must(template.New(name).ParseFS(pageFiles, "page/frame.html", "page/"+name))
}

// sourceHash is how a content security policy names a text of the page itself.
func sourceHash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// frame is what every page has around its sections.
type frame struct {
	Policy string
	Style  template.CSS
	Script template.JS

	// Over says what kind of page it is, Foot what it was made from.
	Over, Title, Simulated, Summary, Foot string

	// Counted names what Tiles count.
	Counted  string
	Tiles    []tile
	Sections []section
}

type (
	tile struct {
		Count int
		Label string
		Alarm bool
	}
	section struct{ ID, Head string }
)

func newFrame(over, title, simulated, summary string) frame {
	return frame{
		Policy: pagePolicy, Style: template.CSS(pageStyle), Script: template.JS(pageScript),
		Over: over, Title: title, Simulated: strings.TrimSpace(simulated), Summary: summary, Counted: "Components",
	}
}

// madeOf says at the foot of a page when and what it was made from.
func madeOf(what string, now time.Time) string {
	return "This page was made " + Moment(now) + " by fwctl from " + what + ". It loads nothing and sends nothing."
}

// addSection lists a section if the page has it.
func (f *frame) addSection(has bool, id, head string) {
	if has {
		f.Sections = append(f.Sections, section{id, head})
	}
}

// write fills in the template of a page.
func write(t *template.Template, view any) ([]byte, error) {
	var b bytes.Buffer
	if err := t.Execute(&b, view); err != nil {
		return nil, fmt.Errorf("cannot write the page: %w", err)
	}
	return b.Bytes(), nil
}
