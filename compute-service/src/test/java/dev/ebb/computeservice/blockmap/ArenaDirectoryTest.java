package dev.ebb.computeservice.blockmap;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class ArenaDirectoryTest {
  private static final String DEAD = "ebb-arenas-0123456789abcdef0123456789abcdef";
  private static final Clock LATER = Clock.offset(Clock.systemUTC(), Duration.ofMinutes(2));

  @TempDir private Path parent = Path.of("");

  private Path leftover(String name, boolean withLock) throws IOException {
    Path left = Files.createDirectory(parent.resolve(name));
    Files.write(left.resolve("b1-7-abcd"), new byte[100]);
    if (withLock) {
      Files.createFile(left.resolve("lock"));
    }
    return left;
  }

  private List<Path> present() throws IOException {
    try (Stream<Path> files = Files.list(parent)) {
      return files.toList();
    }
  }

  @Test
  void directoryIsOfItsOwnAndGoesWithItsHost() throws IOException {
    Path path;
    try (ArenaDirectory first = ArenaDirectory.openIn(parent, LATER);
        ArenaDirectory second = ArenaDirectory.openIn(parent, LATER)) {
      path = first.path();
      assertThat(first.path()).isNotEqualTo(second.path()).isDirectory();
      assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(path)))
          .isEqualTo("rwx--x--x");
      Files.createFile(path.resolve("arena"));
    }
    assertThat(present()).isEmpty();
  }

  @Test
  void leftoversOfDeadHostsAreDeletedAtTheNextStartOfAnyHost() throws IOException {
    leftover(DEAD, true);
    leftover(DEAD.replace('0', 'f'), false);
    try (ArenaDirectory directory = ArenaDirectory.openIn(parent, LATER)) {
      assertThat(present()).containsExactly(directory.path());
    }
  }

  @Test
  void directoryWithoutALockIsLeftAloneForAMinute() throws IOException {
    Path young = leftover(DEAD, false);
    try (ArenaDirectory directory = ArenaDirectory.openIn(parent, Clock.systemUTC())) {
      assertThat(present()).containsExactlyInAnyOrder(directory.path(), young);
    }
  }

  @Test
  void directoryOfAnotherHostOfThisProcessIsLeftAloneAndStaysLocked() throws Exception {
    try (ArenaDirectory living = ArenaDirectory.openIn(parent, LATER)) {
      try (ArenaDirectory other = ArenaDirectory.openIn(parent, LATER)) {
        assertThat(present()).containsExactlyInAnyOrder(living.path(), other.path());
      }
      assertThat(isLockedForOthers(living.path().resolve("lock"))).isTrue();
    }
  }

  /** As another process sees it. */
  private static boolean isLockedForOthers(Path file) throws Exception {
    for (String line : Files.readAllLines(Path.of("/proc/locks"))) {
      if (line.contains(" " + ProcessHandle.current().pid() + " ")
          && line.endsWith(":" + Files.getAttribute(file, "unix:ino") + " 0 EOF")) {
        return true;
      }
    }
    return false;
  }

  @Test
  void whatIsNotAnArenaDirectoryOfThisUserIsLeftAlone() throws IOException {
    Path stranger = leftover("ebb-arenas-of-somebody", true);
    Path target = Files.createDirectory(parent.resolve("target"));
    Files.createFile(target.resolve("lock"));
    Path link = Files.createSymbolicLink(parent.resolve(DEAD), target);
    try (ArenaDirectory directory = ArenaDirectory.openIn(parent, LATER)) {
      assertThat(present()).contains(stranger, link, target, directory.path());
      assertThat(target.resolve("lock")).exists();
    }
  }

  @Test
  void lockThatIsALinkIsNotFollowed() throws IOException {
    Path precious = Files.writeString(parent.resolve("precious"), "kept");
    Path left = leftover(DEAD, false);
    Files.createSymbolicLink(left.resolve("lock"), precious);
    try (ArenaDirectory directory = ArenaDirectory.openIn(parent, LATER);
        FileChannel channel = FileChannel.open(precious, StandardOpenOption.WRITE);
        FileLock lock = channel.tryLock()) {
      assertThat(lock).isNotNull();
      assertThat(directory.path()).isDirectory();
      assertThat(precious).hasContent("kept");
    }
  }
}
