package broker

import (
	"net/url"
	"strings"

	"github.com/rhx-dev/rhx/host/mask"
)

// minToken is the length of the shortest value that is in other texts by no chance.
const minToken = 16

// elsewhere puts placeholders into texts that the broker did not make.
type elsewhere struct {
	long  *mask.Masker
	short []mask.StandIn
	// whole are URLs of databases, and what leads to them here.
	whole []mask.StandIn
}

func newElsewhere(list []mask.StandIn) (elsewhere, error) {
	var e elsewhere
	var long []mask.StandIn
	for _, s := range list {
		if value := s.Value.Reveal(); len(value) < minToken || strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r > '~' }) {
			e.short = append(e.short, s)
		} else {
			long = append(long, s)
		}
	}
	var err error
	e.long, err = mask.NewStandIns(long)
	return e, err
}

// HideElsewhere has placeholders where a text from elsewhere, such as a variable of the
// user's, has values, also encoded ones. A short value, such as a password "postgres", is
// in paths and names by chance: of that only a text that is nothing else, and the password
// of a URL.
func (b *Broker) HideElsewhere(text string) string {
	for _, s := range b.elsewhere.whole {
		text = strings.ReplaceAll(text, s.Value.Reveal(), s.Text)
	}
	for _, s := range b.elsewhere.short {
		value := s.Value.Reveal()
		if strings.TrimSpace(text) == value {
			return strings.Replace(text, value, s.Text, 1)
		}
		for _, form := range []string{value, url.QueryEscape(value), strings.TrimPrefix(url.UserPassword("", value).String(), ":")} {
			text = strings.ReplaceAll(text, ":"+form+"@", ":"+s.Text+"@")
		}
	}
	return b.elsewhere.long.Replace(text)
}

// Lead has the URLs that lead to databases through the broker where a text has what stood
// for them until it listened.
func (b *Broker) Lead(text string) string {
	return strings.NewReplacer(b.leads...).Replace(text)
}
