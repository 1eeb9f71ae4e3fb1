package dev.ebb.launcher.config;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class QuantitiesTest {
  @ParameterizedTest
  @ValueSource(strings = {"0", "250ms", "30s", "5m", "2h", "7d", "90s"})
  void durationIsWrittenAsItWasRead(String text) {
    Duration duration = Quantities.parseDuration(text).orElseThrow();

    assertThat(Quantities.format(duration)).isEqualTo(text);
  }

  @ParameterizedTest
  @ValueSource(strings = {"0", "17B", "8kB", "256MB", "2GB", "1TB", "1536MB"})
  void sizeIsWrittenAsItWasRead(String text) {
    long bytes = Quantities.parseBytes(text).orElseThrow();

    assertThat(Quantities.formatBytes(bytes)).isEqualTo(text);
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "5", "m", "-5m", "5 m", "5min", "9999999999s", "1.5h"})
  void whatIsNoDurationIsRefused(String text) {
    assertThat(Quantities.parseDuration(text)).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "5", "MB", "-5MB", "5 MB", "5M", "999999999TB"})
  void whatIsNoSizeIsRefused(String text) {
    assertThat(Quantities.parseBytes(text)).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(strings = {"20/s", "120/m", "600/h", "1/d", "0"})
  void rateIsWrittenAsItWasRead(String text) {
    assertThat(Quantities.format(Quantities.parseRate(text).orElseThrow())).isEqualTo(text);
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "0/s", "5", "/s", "5/ms", "-1/s", "5 /s", "9999999999/s"})
  void whatIsNoRateIsRefused(String text) {
    assertThat(Quantities.parseRate(text)).isEmpty();
  }

  @Test
  void unitsMayBeOfEitherCaseForDurations() {
    assertThat(Quantities.parseDuration("5M")).contains(Duration.ofMinutes(5));
  }
}
