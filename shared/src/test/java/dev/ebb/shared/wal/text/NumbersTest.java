package dev.ebb.shared.wal.text;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class NumbersTest {

  @ParameterizedTest
  @CsvSource({
    "1367585, 1.36758e+06",
    "1367595, 1.3676e+06",
    "1367585.5, 1.36759e+06",
    "0, 0",
    "-0.0, -0",
    "1e-5, 1e-05",
    "0.0001, 0.0001",
    "123456, 123456",
    "999999.5, 1e+06",
    "-2.5, -2.5",
    "1e100, 1e+100",
    "4.9e-324, 4.94066e-324",
    "0.1, 0.1",
    "-123456789, -1.23457e+08"
  })
  void realsAsPostgresPrintsThem(double number, String printed) {
    assertThat(real(number)).isEqualTo(printed);
  }

  @Test
  void whatIsNoNumberIsAsInPostgresOwnPrintf() {
    assertThat(real(Double.NaN)).isEqualTo("NaN");
    assertThat(real(Double.longBitsToDouble(0xfff8000000000000L))).isEqualTo("NaN");
    assertThat(real(Double.POSITIVE_INFINITY)).isEqualTo("Infinity");
    assertThat(real(Double.NEGATIVE_INFINITY)).isEqualTo("-Infinity");
  }

  private static String real(double number) {
    var text = new StringBuilder();
    Numbers.real(text, number);
    return text.toString();
  }
}
