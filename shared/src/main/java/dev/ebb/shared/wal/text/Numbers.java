package dev.ebb.shared.wal.text;

import java.math.BigDecimal;
import java.math.MathContext;
import java.math.RoundingMode;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.Locale;

/** Numbers as C and PostgreSQL print them. */
final class Numbers {
  private static final MathContext SIX_DIGITS = new MathContext(6, RoundingMode.HALF_EVEN);

  private static final DateTimeFormatter TIME =
      DateTimeFormatter.ofPattern("uuuu-MM-dd HH:mm:ss.SSSSSS 'UTC'", Locale.ROOT)
          .withZone(ZoneOffset.UTC);

  /** Seconds from 1970-01-01 to 2000-01-01. */
  private static final long POSTGRES_EPOCH = 946_684_800;

  private static final int MICROS = 1_000_000;

  private Numbers() {}

  /** {@code %02X}. */
  static void hex(StringBuilder text, int octet) {
    text.append(Character.toUpperCase(Character.forDigit(octet >> 4, 16)))
        .append(Character.toUpperCase(Character.forDigit(octet & 15, 16)));
  }

  /** {@code %X/%X}. */
  static void lsn(StringBuilder text, long lsn) {
    text.append(upper(lsn >>> 32)).append('/').append(upper(lsn & 0xFFFF_FFFFL));
  }

  /** {@code %X/%08X}. */
  static void paddedLsn(StringBuilder text, long lsn) {
    String low = upper(lsn & 0xFFFF_FFFFL);
    text.append(upper(lsn >>> 32)).append('/').repeat('0', 8 - low.length()).append(low);
  }

  private static String upper(long number) {
    return Long.toHexString(number).toUpperCase(Locale.ROOT);
  }

  /** A {@code TimestampTz}, in UTC, as {@code pg_waldump} prints it. */
  static void time(StringBuilder text, long micros) {
    time(
        text,
        Instant.ofEpochSecond(
            POSTGRES_EPOCH + Math.floorDiv(micros, MICROS), Math.floorMod(micros, MICROS) * 1000L));
  }

  static void time(StringBuilder text, Instant time) {
    TIME.formatTo(time, text);
  }

  /**
   * {@code %g}: six digits at most; exact halves go to the even digit, as in the C library. What is
   * no number is as in PostgreSQL's own {@code fmtfloat} (src/port/snprintf.c).
   */
  static void real(StringBuilder text, double number) {
    if (Double.isNaN(number)) {
      text.append("NaN");
      return;
    }
    if (Double.doubleToRawLongBits(number) < 0) {
      text.append('-'); // of zero as well
    }
    if (Double.isInfinite(number)) {
      text.append("Infinity");
      return;
    }
    BigDecimal rounded = new BigDecimal(Math.abs(number)).round(SIX_DIGITS).stripTrailingZeros();
    int exponent = rounded.precision() - rounded.scale() - 1;
    if (rounded.signum() == 0) {
      text.append('0');
    } else if (exponent >= -4 && exponent < 6) {
      text.append(rounded.toPlainString());
    } else {
      text.append(rounded.movePointLeft(exponent).toPlainString())
          .append(exponent < 0 ? "e-" : "e+")
          .append(Math.abs(exponent) < 10 ? "0" : "")
          .append(Math.abs(exponent));
    }
  }
}
