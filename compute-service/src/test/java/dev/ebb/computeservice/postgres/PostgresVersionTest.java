package dev.ebb.computeservice.postgres;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ebb.shared.error.EbbException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class PostgresVersionTest {
  @Test
  void releaseIsParsedAndSupported() {
    PostgresVersion version = PostgresVersion.parse("postgres (PostgreSQL) 18.6");
    assertThat(version.number()).isEqualTo(180006);
    assertThat(version.requireSupported()).hasToString("18.6");
    assertThat(PostgresVersion.parse("postgres (PostgreSQL) 14.24").requireSupported())
        .hasToString("14.24");
    assertThat(PostgresVersion.parse("postgres (PostgreSQL) 18.4 (Debian 18.4-1)").number())
        .isEqualTo(180004);
  }

  @ParameterizedTest
  @CsvSource({"14.21, 14.22", "15.16, 15.17", "16.11, 16.12", "17.7, 17.8", "18.1, 18.2"})
  void releaseThatLosesCommitsIsRefusedByName(String release, String minimum) {
    PostgresVersion version = PostgresVersion.parse("postgres (PostgreSQL) " + release);
    assertThatThrownBy(version::requireSupported)
        .isInstanceOf(EbbException.Invalid.class)
        .hasMessageContaining("PostgreSQL " + release + " ")
        .hasMessageContaining("use " + minimum + " or newer");
  }

  @ParameterizedTest
  @ValueSource(strings = {"19.1", "13.22"})
  void otherMajorIsRefused(String release) {
    PostgresVersion version = PostgresVersion.parse("postgres (PostgreSQL) " + release);
    assertThatThrownBy(version::requireSupported)
        .isInstanceOf(EbbException.Invalid.class)
        .hasMessageContaining("use a release of 14 to 18");
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "postgres (PostgreSQL) 18beta1", "psql (PostgreSQL) 18.6", "\u0007"})
  void anythingElseIsRefused(String printed) {
    assertThatThrownBy(() -> PostgresVersion.parse(printed))
        .isInstanceOf(EbbException.Invalid.class);
  }
}
