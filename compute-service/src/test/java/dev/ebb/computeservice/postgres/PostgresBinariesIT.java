package dev.ebb.computeservice.postgres;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.PostgresMajor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class PostgresBinariesIT {
  private static final PostgresMajor MAJOR = PostgresMajor.DEFAULT;

  @TempDir Path root;

  @Test
  void processesThatUnpackAtOnceGetTheSameWholeDirectory() throws IOException {
    OsUser user = selfOrReachable();
    Path parent = root.resolve("postgres");
    Path abandoned = Files.createDirectories(parent.resolve(".unpacking-x/bin"));
    Files.setLastModifiedTime(
        abandoned.getParent(), FileTime.from(Instant.now().minusSeconds(7_200)));
    try (var threads = Executors.newFixedThreadPool(2)) {
      var one =
          CompletableFuture.supplyAsync(
              () -> PostgresBinaries.unpack(parent, user, MAJOR), threads);
      var two =
          CompletableFuture.supplyAsync(
              () -> PostgresBinaries.unpack(parent, user, MAJOR), threads);
      assertThat(one.join()).isEqualTo(two.join());
    }
    PostgresBinaries again = PostgresBinaries.unpack(parent, user, MAJOR);
    assertThat(again.version().major()).isEqualTo(18);
    assertThat(again.directory().getFileName().toString()).matches("18\\.\\d+-[0-9a-f]{8}");
    assertThat(again.bin("postgres")).isExecutable();
    assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(again.bin("initdb"))))
        .isEqualTo("rwxr-xr-x");
    try (var left = Files.list(parent)) {
      assertThat(left).containsExactly(again.directory());
    }
  }

  @Test
  void unsupportedCpuIsNamed() {
    assertThatThrownBy(() -> PostgresBinaries.resourceFor(MAJOR, "riscv64"))
        .isInstanceOf(EbbException.Invalid.class)
        .hasMessageContaining("riscv64");
    assertThat(PostgresBinaries.resourceFor(MAJOR, "aarch64"))
        .isEqualTo("postgresql/18/postgres-linux-arm_64.txz");
  }

  @Test
  void missingArtifactIsNamed() throws IOException {
    OsUser user = selfOrReachable();
    assertThatThrownBy(() -> PostgresBinaries.unpack(root, user, "postgres-none.txz"))
        .isInstanceOf(EbbException.Invalid.class)
        .hasMessageContaining("postgres-none.txz is not on the class path");
  }

  @Test
  void directoryThatTheUserCannotEnterIsRefusedBeforeAnythingIsWritten() throws IOException {
    Path closed =
        Files.createDirectory(
            root.resolve("closed"),
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
    var stranger = new OsUser("stranger", 54_321, 54_321, true);
    assertThatThrownBy(() -> PostgresBinaries.unpack(closed.resolve("p"), stranger, MAJOR))
        .isInstanceOf(EbbException.Invalid.class)
        .hasMessageContaining("stranger")
        .hasMessageContaining("cannot enter");
  }

  @Test
  void unknownUserIsRefusedWithWhatToDo() {
    assertThat(OsUser.lookup("no-such-user-here")).isEmpty();
    assertThat(OsUser.lookup("root")).hasValueSatisfying(u -> assertThat(u.uid()).isZero());
    OsUser self = OsUser.choose("postgres");
    assertThat(self.uid()).isNotZero();
    if (self.switched()) {
      assertThatThrownBy(() -> OsUser.choose("no-such-user-here"))
          .isInstanceOf(EbbException.Invalid.class)
          .hasMessageContaining("useradd");
      assertThatThrownBy(() -> OsUser.choose("root")).isInstanceOf(EbbException.Invalid.class);
    }
  }

  private OsUser selfOrReachable() throws IOException {
    Files.setPosixFilePermissions(root, PosixFilePermissions.fromString("rwxr-xr-x"));
    return OsUser.choose("postgres");
  }
}
