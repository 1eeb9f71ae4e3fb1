package dev.ebb.computeservice.postgres;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.PostgresMajor;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class PostgresReleasesTest {
  @TempDir private Path directory;

  private PostgresReleases of(int... majors) {
    return new PostgresReleases(
        directory.resolve("postgres"),
        OsUser.choose("postgres"),
        binaries -> {},
        IntStream.of(majors).mapToObj(PostgresMajor::new).toList());
  }

  @Test
  void versionsAreNamedAsInASentence() {
    assertThat(of().list()).isEqualTo("none");
    assertThat(of(18).list()).isEqualTo("18");
    assertThat(of(14, 18).list()).isEqualTo("14 and 18");
    assertThat(of(14, 15, 18).list()).isEqualTo("14, 15 and 18");
  }

  @Test
  void versionThatTheHostLacksIsRefusedWithThoseThatItHas() {
    assertThatThrownBy(() -> of(15, 18).require(new PostgresMajor(14)))
        .isInstanceOf(EbbException.Unavailable.class)
        .hasMessageContaining("no PostgreSQL 14")
        .hasMessageContaining("it has 15 and 18");
  }

  /** The build packs them all; nothing is unpacked before it is needed. */
  @Test
  void everyMajorThatIsSupportedIsThere() {
    var releases =
        new PostgresReleases(
            directory.resolve("postgres"), OsUser.choose("postgres"), binaries -> {});
    assertThat(releases.majors())
        .isEqualTo(List.of(14, 15, 16, 17, 18).stream().map(PostgresMajor::new).toList());
    assertThat(Files.exists(directory.resolve("postgres"))).isFalse();
  }
}
