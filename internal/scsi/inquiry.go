package scsi

// EnclosureServices is the peripheral device type of a SES device.
const EnclosureServices = 0x0d

// StandardInquiry is standard INQUIRY data (SPC, standard INQUIRY data):
//
//	0     peripheral qualifier 7:5, peripheral device type 4:0
//	2     version                 8-15  vendor identification
//	3     response format 3:0    16-31  product identification
//	4     additional length      32-35  product revision level
//	6     EncServ 6
type StandardInquiry struct {
	PeripheralQualifier  byte // 0: a device is there
	PeripheralDeviceType byte
	Version              byte
	ResponseDataFormat   byte
	AdditionalLength     int  // bytes after byte 4 that the device has
	EncServ              bool // an enclosure services process is behind this logical unit, whatever its type
	Vendor               Text // 8 bytes
	Product              Text // 16 bytes
	ProductRevisionLevel Text // 4 bytes
}

// ParseStandardInquiry reads standard INQUIRY data. It reads data that ends after byte 7
// as far as it goes: simple devices leave out their names. It ignores AdditionalLength.
func ParseStandardInquiry(b []byte) (*StandardInquiry, error) {
	if len(b) < 8 {
		return nil, cannotDecode("standard INQUIRY data", "it has %d bytes, fewer than 8", len(b))
	}
	return &StandardInquiry{
		PeripheralQualifier:  b[0] >> 5,
		PeripheralDeviceType: b[0] & 0x1f,
		Version:              b[2],
		ResponseDataFormat:   b[3] & 0x0f,
		AdditionalLength:     int(b[4]),
		EncServ:              b[6]&0x40 != 0,
		Vendor:               NewText(upTo(b, 8, 16)),
		Product:              NewText(upTo(b, 16, 32)),
		ProductRevisionLevel: NewText(upTo(b, 32, 36)),
	}, nil
}

// upTo returns b[from:to] as far as b goes.
func upTo(b []byte, from, to int) []byte {
	return b[min(from, len(b)):min(to, len(b))]
}
