package scan

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"fwctl/internal/scsi"
	"fwctl/internal/ses"
	"fwctl/internal/transport"
	"fwctl/inventory"
)

const (
	// allocation is the room for what INQUIRY returns. Some devices refuse less
	// than 512; old ones look at the low byte of the length alone, FCh here.
	allocation = 0x2fc

	// A page that comes back short, or as page 08h though the device lists it, is
	// asked for again; pages of different generations are all read again.
	attempts    = 4
	attemptWait = time.Second
)

// Read reads one logical unit over a transport that the caller holds; path is
// the node's name, for the record. Reading.Problems lists what could not be read. The
// error says that the device cannot be used as an enclosure: INQUIRY or page 01h failed,
// nothing distinguishes it from other logical units, or a command went unanswered.
func Read(ctx context.Context, path string, t transport.Transport) (*inventory.Reading, error) {
	r := &reader{ctx: ctx, t: t, Reading: inventory.Reading{Path: path}}
	if err := r.read(); err != nil {
		return nil, err
	}
	return &r.Reading, nil
}

// IsUnit reports whether a device is the logical unit luID. It asks no more than it needs
// for that: a device that has just been reset may not answer more.
func IsUnit(ctx context.Context, t transport.Transport, luID string) (bool, error) {
	r := &reader{ctx: ctx, t: t}
	if err := r.inquire(); err != nil {
		return false, err
	}
	if r.Identity.LUID() == "" { // known by page 01h, if at all
		cfg, err := r.configuration()
		if err != nil {
			return false, err
		}
		r.identify(cfg)
	}
	return r.Identity.Is(luID), nil
}

type reader struct {
	inventory.Reading
	ctx context.Context
	t   transport.Transport

	extended *scsi.ExtendedInquiry // nil if there is none
}

func (r *reader) read() error {
	if err := r.inquire(); err != nil {
		return err
	}
	if err := r.supportedPages(); err != nil {
		return err
	}
	cfg, err := r.pages()
	if err != nil {
		return err
	}
	r.identify(cfg)
	if r.Identity.LUID() == "" {
		return errors.New("nothing distinguishes it from other logical units: " +
			"it has no VPD page 83h or 80h and no logical identifier in page 01h")
	}
	return r.downloadModes()
}

// unanswered reports whether an error leaves the outcome of a command open. The device may
// hang then, and is asked nothing more.
func unanswered(err error) bool {
	var lost *transport.Error
	return errors.As(err, &lost) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// problem notes what could not be read. It returns the error if nothing more may be asked
// of the device.
func (r *reader) problem(err error, summary, advice string) error {
	if err == nil || unanswered(err) {
		return err
	}
	r.Problems = append(r.Problems, inventory.Problem{Path: r.Path, Summary: summary,
		Detail: err.Error() + "; " + advice})
	return nil
}

// failedOnce reports whether a device may answer the next time: it did not refuse.
// An identity read without that answer would be another identity.
func failedOnce(err error) bool {
	var e *scsi.Error
	return errors.As(err, &e) && !errors.Is(err, scsi.IllegalRequest)
}

// inquire reads standard INQUIRY data and the VPD pages that the device lists. Some
// devices refuse all of those pages.
func (r *reader) inquire() error {
	b, err := scsi.Do(r.ctx, r.t, scsi.Inquiry{AllocationLength: allocation})
	if err != nil {
		return err
	}
	inquiry, err := scsi.ParseStandardInquiry(b)
	if err != nil {
		return err
	}
	r.Inquiry = inventory.Inquiry{
		Vendor:   inquiry.Vendor.String(),
		Product:  inquiry.Product.String(),
		Revision: inquiry.ProductRevisionLevel.String(),
	}
	r.Identity.Vendor = r.Inquiry.Vendor

	listed, err := vpd(r, scsi.VPDSupportedPages, scsi.ParseSupportedVPDPages)
	if err != nil {
		if unanswered(err) || failedOnce(err) {
			return err
		}
		return nil
	}
	const advice = "fwctl goes on without it; compare sg_vpd --all"
	if slices.Contains(listed, scsi.VPDUnitSerialNumber) {
		serial, err := vpd(r, scsi.VPDUnitSerialNumber, scsi.ParseUnitSerialNumber)
		if failedOnce(err) {
			return err
		}
		if err := r.problem(err, "cannot read its serial number", advice); err != nil {
			return err
		}
		r.Identity.Serial = strings.TrimSpace(serial.String())
	}
	if slices.Contains(listed, scsi.VPDDeviceIdentification) {
		id, err := vpd(r, scsi.VPDDeviceIdentification, scsi.ParseDeviceIdentification)
		if failedOnce(err) {
			return err
		}
		if err := r.problem(err, "cannot read its identity", advice); err != nil {
			return err
		}
		designate(&r.Identity, id)
	}
	if slices.Contains(listed, scsi.VPDExtendedInquiry) {
		r.extended, err = vpd(r, scsi.VPDExtendedInquiry, scsi.ParseExtendedInquiry)
		return r.problem(err, "cannot read its extended INQUIRY data", advice)
	}
	return nil
}

func vpd[T any](r *reader, page byte, parse func([]byte) (T, error)) (T, error) {
	b, err := scsi.Do(r.ctx, r.t, scsi.Inquiry{EVPD: true, PageCode: page, AllocationLength: allocation})
	if err != nil {
		var none T
		return none, err
	}
	return parse(b)
}

// designate takes the names of the logical unit and its port.
func designate(who *inventory.Identity, id *scsi.DeviceIdentification) {
	if id == nil {
		return
	}
	named(id)
	if d, ok := id.LogicalUnit(); ok {
		who.LogicalUnit = d.String()
	}
	if d, ok := id.TargetPort(); ok {
		who.Port = d.String()
	}
}

// identify takes the device's identity from page 01h.
func (r *reader) identify(cfg *ses.Configuration) {
	primary := cfg.Subenclosures[0]
	r.Identity.LogicalID = primary.LogicalID.String()
	r.Identity.RelativeID = int(primary.RelativeESPID)
	r.Identity.Processes = int(primary.ESProcesses)
}

// supportedPages reads which pages there are, from pages 00h and 0Dh. Some devices
// answer neither: then Reading.Pages stays nil, and every page is tried.
func (r *reader) supportedPages() error {
	all := []ses.PageCode{}
	known := false
	for _, code := range []ses.PageCode{ses.PageSupported, ses.PageSupportedSES} {
		if code == ses.PageSupportedSES && !slices.Contains(all, code) {
			break
		}
		page, err := receive(r, code, ses.ParseSupportedPages)
		if unanswered(err) {
			return err
		}
		if err == nil {
			known = true
			all = append(all, page.Pages...)
		}
	}
	if !known {
		return nil
	}
	slices.Sort(all)
	r.Pages = []int{}
	for _, code := range slices.Compact(all) {
		r.Pages = append(r.Pages, int(code))
	}
	r.Download.SESPage = slices.Contains(all, ses.PageDownloadMicrocode)
	return nil
}

// mayHave reports whether the device may have a page.
func (r *reader) mayHave(code ses.PageCode) bool {
	return r.Pages == nil || slices.Contains(r.Pages, int(code))
}

// receive reads a page. It reads it again if it came back short, or as page 08h though
// the device lists it.
func receive[T any](r *reader, code ses.PageCode, parse func([]byte) (T, error)) (T, error) {
	for attempt := 1; ; attempt++ {
		page, err := receiveOnce(r, code, parse)
		var short *ses.ShortPageError
		var other *ses.UnexpectedPageError
		again := errors.As(err, &short) ||
			errors.As(err, &other) && other.Got == ses.PageShortStatus && slices.Contains(r.Pages, int(code))
		if !again || attempt == attempts {
			return page, err
		}
		if err := r.wait(); err != nil {
			return page, err
		}
	}
}

func receiveOnce[T any](r *reader, code ses.PageCode, parse func([]byte) (T, error)) (T, error) {
	b, err := ses.Receive(r.ctx, r.t, code)
	if err != nil {
		var none T
		return none, err
	}
	return parse(b)
}

func (r *reader) wait() error {
	select {
	case <-time.After(attemptWait):
		return nil
	case <-r.ctx.Done():
		return r.ctx.Err()
	}
}

func (r *reader) configuration() (*ses.Configuration, error) {
	cfg, err := receive(r, ses.PageConfiguration, ses.ParseConfiguration)
	if err != nil && !unanswered(err) {
		return nil, fmt.Errorf("no page 01h, without which it cannot be used as an enclosure: %w", err)
	}
	return cfg, err
}

// pages reads the configuration and the pages that go with it, all of one generation: it
// reads them all again if one has another generation code.
func (r *reader) pages() (*ses.Configuration, error) {
	before := len(r.Problems)
	for attempt := 1; ; attempt++ {
		cfg, err := r.configuration()
		if err != nil {
			return nil, err
		}
		r.Problems = r.Problems[:before]
		r.GenerationCode = cfg.GenerationCode
		r.Subenclosures = subenclosures(cfg)
		changed, err := r.statusPages(cfg)
		if err != nil {
			return nil, err
		}
		if !changed || attempt == attempts {
			return cfg, nil
		}
		if err := r.wait(); err != nil {
			return nil, err
		}
	}
}

func subenclosures(cfg *ses.Configuration) []inventory.Subenclosure {
	var all []inventory.Subenclosure
	for _, s := range cfg.Subenclosures {
		all = append(all, inventory.Subenclosure{
			ID:        int(s.SubenclosureID),
			LogicalID: s.LogicalID.String(),
			Vendor:    s.Vendor.String(),
			Product:   s.Product.String(),
			Revision:  s.ProductRevisionLevel.String(),
		})
	}
	// The primary comes first in page 01h, whatever its id.
	slices.SortStableFunc(all[1:], func(a, b inventory.Subenclosure) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

// statusPages reads health and slots. changed reports whether a page had another
// generation code than cfg.
func (r *reader) statusPages(cfg *ses.Configuration) (changed bool, err error) {
	const advice = "scan again, and look at sg_ses if that does not help"
	r.Health = inventory.Health{Unknown: true, Failures: []string{}}
	r.Slots, r.Expanders, r.Doubtful, r.StatusRead = nil, nil, nil, false

	// note keeps an error as a problem; a page that is not listed and not
	// answered is just not there.
	note := func(code ses.PageCode, err error, summary string) error {
		var other *ses.GenerationError
		changed = changed || errors.As(err, &other)
		if err == nil || r.Pages == nil && code != ses.PageEnclosureStatus && !errors.As(err, &other) &&
			!unanswered(err) {
			return nil
		}
		return r.problem(err, summary, advice)
	}

	var names *ses.ElementDescriptors
	if r.mayHave(ses.PageElementDescriptor) {
		names, err = receive(r, ses.PageElementDescriptor, func(b []byte) (*ses.ElementDescriptors, error) {
			return ses.ParseElementDescriptors(b, cfg)
		})
		if err := note(ses.PageElementDescriptor, err, "cannot read the names of its elements"); err != nil {
			return false, err
		}
	}
	var status *ses.EnclosureStatus
	if r.mayHave(ses.PageEnclosureStatus) {
		status, err = receive(r, ses.PageEnclosureStatus, func(b []byte) (*ses.EnclosureStatus, error) {
			return ses.ParseEnclosureStatus(b, cfg)
		})
		if err := note(ses.PageEnclosureStatus, err, "cannot read its health"); err != nil {
			return false, err
		}
		if err != nil {
			status = nil
		} else {
			r.Health, r.StatusRead = health(cfg, status, names), true
		}
	} else {
		r.Problems = append(r.Problems, inventory.Problem{Path: r.Path, Summary: "cannot read its health",
			Detail: "it has no enclosure status page, 02h; check its fans and power supplies in another way " +
				"before its firmware is changed"})
	}
	var additional *ses.AdditionalElementStatus
	if r.mayHave(ses.PageAdditionalElementStatus) {
		additional, err = receive(r, ses.PageAdditionalElementStatus,
			func(b []byte) (*ses.AdditionalElementStatus, error) {
				return ses.ParseAdditionalElementStatus(b, cfg)
			})
		if err := note(ses.PageAdditionalElementStatus, err, "cannot read which drives are in its slots"); err != nil {
			return false, err
		}
		if err != nil {
			additional = nil
		} else {
			r.Slots, r.Expanders = slots(cfg, additional), expanders(additional)
		}
	}
	r.Doubtful = doubtful(cfg, status, additional)
	return changed, nil
}

// failures names the status codes that are failures.
var failures = map[ses.StatusCode]string{
	ses.StatusCritical:      "critical",
	ses.StatusNonCritical:   "non-critical",
	ses.StatusUnrecoverable: "unrecoverable",
}

// health sums up page 02h. Elements have their names from page 07h, else from the text or
// the name of their type and their index in it, from 0. An overall status counts if no
// element of its type has failed.
func health(cfg *ses.Configuration, status *ses.EnclosureStatus, names *ses.ElementDescriptors) inventory.Health {
	h := inventory.Health{Critical: status.Critical, Unrecoverable: status.Unrecoverable, Failures: []string{},
		Elements: map[string]int{}}
	for i, t := range status.Types {
		typeName := cmp.Or(strings.TrimSpace(cfg.Types[i].Text.String()), cfg.Types[i].ElementType.String())
		individual := false
		for j, e := range t.Elements {
			failure, failed := failures[e.Code()]
			if failed || e.Code() == ses.StatusOK {
				h.Elements[typeName]++
			}
			if !failed {
				continue
			}
			individual = true
			name := ""
			if names != nil {
				name = strings.TrimSpace(names.Types[i].Elements[j].String())
			}
			h.Failures = append(h.Failures, cmp.Or(name, fmt.Sprintf("%s %d", typeName, j))+": "+failure)
		}
		if failure, failed := failures[t.Overall.Code()]; failed && !individual {
			h.Failures = append(h.Failures, typeName+": "+failure)
		}
	}
	if status.NonCritical && len(h.Failures) == 0 {
		h.Failures = append(h.Failures, "the enclosure, which does not say which element: non-critical")
	}
	return h
}

// slots lists the device slots with a drive of known address. An empty one can
// have a valid descriptor with zero addresses, and an expander can sit where a
// drive would (both seen on Areca ARC-8028).
func slots(cfg *ses.Configuration, additional *ses.AdditionalElementStatus) []inventory.Slot {
	places := placesOf(cfg)
	all := []inventory.Slot{}
	for i := range additional.Descriptors {
		d := &additional.Descriptors[i]
		if d.Slot == nil || d.Invalid {
			continue
		}
		s := inventory.Slot{Number: slotNumber(d), Place: places.of(d)}
		for _, phy := range d.Slot.Phys {
			if phy.SASAddress.IsZero() || phy.DeviceType >= expanderDevice {
				continue
			}
			port := inventory.Port{SASAddress: phy.SASAddress.String()}
			if !phy.AttachedSASAddress.IsZero() {
				port.Attached = phy.AttachedSASAddress.String()
			}
			s.Ports = append(s.Ports, port)
			switch {
			case phy.SATA():
				s.Protocol = inventory.SATA
			case phy.SSP():
				s.Protocol = cmp.Or(s.Protocol, inventory.SAS)
			}
		}
		if len(s.Ports) > 0 {
			all = append(all, s)
		}
	}
	return all
}

const expanderDevice = 2 // SAS device types from here on are expanders

// slotNumber returns the number that a descriptor gives its slot. Without EIP, only the
// place among the elements identifies the slot.
func slotNumber(d *ses.AdditionalElement) int {
	if d.Slot != nil && d.EIP {
		return int(d.Slot.Number)
	}
	return max(d.Element, 0)
}

// places count the device slot elements before each type of a configuration.
type places struct {
	cfg   *ses.Configuration
	first []int
}

func placesOf(cfg *ses.Configuration) places {
	p := places{cfg: cfg}
	n := 0
	for _, t := range cfg.Types {
		p.first = append(p.first, n)
		if isSlot(t.ElementType) {
			n += int(t.PossibleElements)
		}
	}
	return p
}

// of returns the place of the device slot element that a descriptor is about, or -1 if it
// is about another element or that is unknown.
func (p places) of(d *ses.AdditionalElement) int {
	if d.Type < 0 || !isSlot(p.cfg.Types[d.Type].ElementType) {
		return -1
	}
	return p.first[d.Type] + d.Element
}

func isSlot(t ses.ElementType) bool { return t == ses.DeviceSlot || t == ses.ArrayDeviceSlot }

// doubtful lists the device slots that may have a drive without an address in page 0Ah. It
// leaves out slots that page 02h calls empty or unsupported. A descriptor of another
// protocol than SAS stands for a drive, whatever page 02h says.
func doubtful(cfg *ses.Configuration, status *ses.EnclosureStatus,
	additional *ses.AdditionalElementStatus) []inventory.Doubt {
	places := placesOf(cfg)
	descriptors := map[int]*ses.AdditionalElement{}
	var doubts []inventory.Doubt
	if additional != nil {
		for i := range additional.Descriptors {
			d := &additional.Descriptors[i]
			if place := places.of(d); place >= 0 {
				descriptors[place] = d
			} else if d.Type < 0 && !d.Invalid && d.Protocol != ses.SAS {
				doubts = append(doubts, inventory.Doubt{Number: i, Place: -1,
					Why: "page 0Ah has a descriptor of " + d.Protocol.String() +
						" that belongs to no element of page 01h"})
			}
		}
	}
	for i, t := range cfg.Types {
		if !isSlot(t.ElementType) {
			continue
		}
		for j := range int(t.PossibleElements) {
			place := places.first[i] + j
			d := descriptors[place]
			empty, reported := false, "page 02h cannot be read"
			if status != nil {
				code := status.Types[i].Elements[j].Code()
				empty = code == ses.StatusNotInstalled || code == ses.StatusUnsupported
				reported = "page 02h reports " + code.String()
			}
			number, given := j, ""
			switch {
			case additional == nil:
				given = "page 0Ah cannot be read"
			case d == nil:
				given = "page 0Ah has no descriptor of it"
			case d.Invalid:
				given = "its descriptor in page 0Ah is INVALID"
			case d.Protocol != ses.SAS:
				given = "its descriptor in page 0Ah is of " + d.Protocol.String()
				empty = empty && len(bytes.Trim(d.Other, "\x00")) == 0
			case d.Slot == nil:
				given = "its descriptor in page 0Ah is not that of a slot"
			case !slices.ContainsFunc(d.Slot.Phys, func(phy ses.Phy) bool { return !phy.SASAddress.IsZero() }):
				given = "page 0Ah gives no address for it"
			}
			if given == "" || empty {
				continue
			}
			if d != nil {
				number = slotNumber(d)
			}
			doubts = append(doubts, inventory.Doubt{Number: number, Place: place,
				Why: fmt.Sprintf("%s for slot %d, and %s", reported, number, given)})
		}
	}
	return doubts
}

// expanders lists the SAS expanders that the ESP has.
func expanders(additional *ses.AdditionalElementStatus) []string {
	var all []string
	for _, d := range additional.Descriptors {
		if d.Expander != nil && !d.Invalid && !d.Expander.SASAddress.IsZero() {
			all = append(all, d.Expander.SASAddress.String())
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// downloadModes reads which modes of WRITE BUFFER the device takes, from REPORT
// SUPPORTED OPERATION CODES, else from VPD page 86h. Otherwise they are unknown.
func (r *reader) downloadModes() error {
	for _, mode := range []scsi.WriteBufferMode{scsi.WriteOffsetsSaveActivate, scsi.WriteOffsetsSelectSaveDefer,
		scsi.WriteOffsetsSaveDefer, scsi.WriteActivateDeferredMicrocode} {
		supported, known, err := r.takes(mode)
		if err != nil {
			return err
		}
		if known && r.Download.WriteBufferModes == nil {
			r.Download.WriteBufferModes = []string{}
		}
		if supported {
			r.Download.WriteBufferModes = append(r.Download.WriteBufferModes, fmt.Sprintf("%02x", byte(mode)))
		}
	}
	return nil
}

func (r *reader) takes(mode scsi.WriteBufferMode) (supported, known bool, err error) {
	const writeBuffer = 0x3b
	b, err := scsi.Do(r.ctx, r.t, scsi.ReportSupportedOperationCodes{
		ReportingOptions:       scsi.OneCommandWithService,
		RequestedOperationCode: writeBuffer,
		RequestedServiceAction: uint16(mode),
		AllocationLength:       allocation,
	})
	if unanswered(err) {
		return false, false, err
	}
	if err == nil {
		if s, err := scsi.ParseCommandSupport(b); err == nil && s.Support != scsi.SupportUnknown {
			return s.Support.Yes(), true, nil
		}
	}
	if r.extended == nil {
		return false, false, nil
	}
	supported, known = r.extended.Supports(mode)
	return supported, known, nil
}
