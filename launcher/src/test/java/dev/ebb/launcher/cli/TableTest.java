package dev.ebb.launcher.cli;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

final class TableTest {
  @Test
  void durationsShowTheirTwoLargestUnits() {
    assertThat(PsCommand.duration(999)).isEqualTo("0s");
    assertThat(PsCommand.duration(61_000)).isEqualTo("1m1s");
    assertThat(PsCommand.duration(3_600_000)).isEqualTo("1h0m");
    assertThat(PsCommand.duration(90_000_000)).isEqualTo("1d1h");
  }

  @Test
  void bytesShowTwoDigits() {
    assertThat(PsCommand.bytes(0)).isEqualTo("0 B");
    assertThat(PsCommand.bytes(1536)).isEqualTo("1.5 kB");
    assertThat(PsCommand.bytes(10L << 30)).isEqualTo("10 GB");
  }

  @Test
  void wordsAreQuotedForAShell() {
    assertThat(PsqlCommand.quoted("it's $HOME")).isEqualTo("'it'\\''s $HOME'");
  }
}
