package broker

import (
	"io"
	"net/http"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"
)

// Many requests at once, which are all at the server before it answers the first (of
// HTTP/1.1; of HTTP/2 as many as there are streams), are answered, each with its own value.
func TestSoakManyAtOnce(t *testing.T) {
	n := 50
	if soak, err := strconv.Atoi(os.Getenv("RHX_SOAK")); err == nil {
		n = 10 * soak // 1,000
	}
	for _, h2 := range []bool{false, true} {
		l := newLab(t)
		var there sync.WaitGroup
		there.Add(n)
		l.serve(apiHost, func(w http.ResponseWriter, r *http.Request) {
			if !h2 {
				there.Done()
				there.Wait()
			}
			if r.Header.Get("Authorization") != "Bearer "+labToken() {
				w.WriteHeader(http.StatusUnauthorized)
			}
			_, _ = io.WriteString(w, r.URL.Path+r.Header.Get("Authorization"))
		})
		client := l.client(h2)
		began := time.Now()
		var all sync.WaitGroup
		for i := range n {
			all.Go(func() {
				path := "/" + strconv.Itoa(i)
				r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+apiHost+path, nil)
				if err != nil {
					t.Error(err)
					return
				}
				r.Header.Set("Authorization", "Bearer "+l.placeholder)
				res, err := client.Do(r)
				if err != nil {
					t.Error(err)
					return
				}
				defer res.Body.Close()
				body, err := io.ReadAll(res.Body)
				if want := path + "Bearer " + l.placeholder; err != nil || res.StatusCode != http.StatusOK || string(body) != want {
					t.Errorf("%d, %v: %q", res.StatusCode, err, body)
				}
			})
		}
		all.Wait()
		t.Logf("%v: %d in %v", h2, n, time.Since(began).Round(time.Millisecond))
	}
}
