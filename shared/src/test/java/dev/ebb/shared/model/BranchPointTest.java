package dev.ebb.shared.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Instant;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class BranchPointTest {
  private static final Instant NOW = Instant.parse("2026-11-22T12:00:00Z");

  @Test
  void lsnIsAPosition() {
    assertThat(BranchPoint.parse(" 0/16b3748 ", NOW))
        .isEqualTo(BranchPoint.at(Lsn.parse("0/16B3748")));
  }

  @ParameterizedTest
  @CsvSource({
    "2026-11-22T10:00:00Z, 2026-11-22T10:00:00Z",
    "2026-11-22T10:00:00.123456Z, 2026-11-22T10:00:00.123456Z",
    "2026-11-22T10:00:00+02:00, 2026-11-22T08:00:00Z",
    "2026-11-22T10:00:00.5-0530, 2026-11-22T15:30:00.5Z",
    "2026-11-22 10:00:00+00, 2026-11-22T10:00:00Z",
    "2026-11-22 10:00:00.123456+00, 2026-11-22T10:00:00.123456Z",
    "2026-11-22 10:00:00.5+05:30, 2026-11-22T04:30:00.5Z",
    "2026-11-22 10:00:00, 2026-11-22T10:00:00Z",
    "2026-11-22 10:00, 2026-11-22T10:00:00Z",
    "2026-11-22 10:00:00 UTC, 2026-11-22T10:00:00Z",
    "-90s, 2026-11-22T11:58:30Z",
    "-10m, 2026-11-22T11:50:00Z",
    "-2h, 2026-11-22T10:00:00Z",
    "-1d, 2026-11-21T12:00:00Z"
  })
  void timeIsUnderstoodInTheseForms(String text, Instant meant) {
    BranchPoint point = BranchPoint.parse(text, NOW);

    assertThat(point.kind()).isEqualTo(BranchPoint.Kind.TIME);
    assertThat(point.instant()).isEqualTo(meant);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"", "yesterday", "0/", "16B3748", "2026-11-22", "2026-13-01 10:00", "-1y", "1h"})
  void anythingElseIsToldWhatWouldBe(String text) {
    assertThatThrownBy(() -> BranchPoint.parse(text, NOW))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("neither an LSN nor a time")
        .hasMessageContaining("-90m");
  }
}
