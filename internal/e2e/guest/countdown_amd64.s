//go:build e2e

#include "textflag.h"

// func countdown(rounds int64)
TEXT ·countdown(SB), NOSPLIT, $0-8
	MOVQ rounds+0(FP), CX

again:
	DECQ CX
	JNZ  again
	RET
