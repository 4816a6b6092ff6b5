package broker

import (
	"net/http"
	"testing"
)

// A request that is under way when the broker ends is told of before that has ended.
func TestCloseWaitsForWhatIsUnderWay(t *testing.T) {
	asked, answer := make(chan struct{}), make(chan struct{})
	l := newLab(t)
	l.serve(apiHost, func(http.ResponseWriter, *http.Request) {
		close(asked)
		<-answer
	})
	defer close(answer)
	client := l.client(true)
	r, err := http.NewRequest(http.MethodGet, "https://"+apiHost+"/under/way", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+l.placeholder)
	go func() {
		if res, err := client.Do(r); err == nil {
			_ = res.Body.Close()
		}
	}()
	<-asked
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	l.wantUses("lab GET api.lab.test/under/way 0")
}
