package dev.ebb.shared.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ebb.shared.error.EbbException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Clock;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class LocalObjectStoreTest extends ObjectStoreContract {
  @TempDir Path root;

  @Override
  ObjectStore open() {
    return new LocalObjectStore(root);
  }

  /** Fails as a full disk does, and notes what was synced. */
  private static final class FakeSync implements FileSync {
    private boolean full;
    private final List<Path> synced = new ArrayList<>();

    @Override
    public void writeNew(Path file, byte[] content) throws IOException {
      if (full) {
        Files.write(file, new byte[] {content[0]});
        throw new IOException("No space left on device");
      }
      FileSync.REAL.writeNew(file, content);
    }

    @Override
    public void syncDirectory(Path directory) throws IOException {
      synced.add(directory);
      FileSync.REAL.syncDirectory(directory);
    }
  }

  @Test
  void fullDiskIsUnavailableAndLeavesNothingBehind() throws Exception {
    var sync = new FakeSync();
    try (var store = new LocalObjectStore(root, sync, Clock.systemUTC())) {
      store.put("a", bytes("old"));
      sync.full = true;

      assertThatThrownBy(() -> store.put("a", bytes("new")))
          .isInstanceOf(EbbException.Unavailable.class)
          .hasMessageContaining("is full");
      assertThatThrownBy(() -> store.putIfAbsent("b", bytes("new")))
          .isInstanceOf(EbbException.Unavailable.class);

      assertThat(store.get("a").orElseThrow().content()).isEqualTo(bytes("old"));
      assertThat(store.list("")).extracting(ObjectStore.Listed::key).containsExactly("a");
      assertThat(root.resolve(".tmp")).isEmptyDirectory();
    }
  }

  @Test
  void everyNewNameIsSyncedInItsDirectory() {
    var sync = new FakeSync();
    try (var store = new LocalObjectStore(root, sync, Clock.systemUTC())) {
      store.put("x/y/z", bytes("1"));
      assertThat(sync.synced).containsExactly(root, root.resolve("x"), root.resolve("x/y"));

      sync.synced.clear();
      store.put("x/y/z", bytes("2"));
      assertThat(sync.synced).containsExactly(root.resolve("x/y"));

      sync.synced.clear();
      store.delete("x/y/z");
      assertThat(sync.synced).containsExactly(root.resolve("x/y"));
    }
  }

  @Test
  void leftoversOfKilledProcessAreInvisibleAndRemovedOnceOld() throws Exception {
    Path young = root.resolve(".tmp/young");
    Path old = root.resolve(".tmp/old");
    try (var store = new LocalObjectStore(root)) {
      store.put("a", bytes("1"));
      Files.write(young, bytes("half"));
      Files.write(old, bytes("half"));
      Files.setLastModifiedTime(old, FileTime.from(Instant.now().minusSeconds(7_200)));

      assertThat(store.list("")).extracting(ObjectStore.Listed::key).containsExactly("a");
    }
    try (var again = new LocalObjectStore(root)) {
      assertThat(again.get("a")).isPresent();
    }

    assertThat(young).exists();
    assertThat(old).doesNotExist();
  }

  @Test
  void keyBelowAnotherKeyIsInvalid() {
    try (var store = new LocalObjectStore(root)) {
      store.put("a/b", bytes("1"));

      assertThatThrownBy(() -> store.put("a/b/c", bytes("2")))
          .isInstanceOf(EbbException.Invalid.class);
      assertThatThrownBy(() -> store.put("a", bytes("2"))).isInstanceOf(EbbException.Invalid.class);
      assertThat(store.get("a/b/c")).isEmpty();
      assertThat(store.get("a")).isEmpty();
      assertThat(store.getRange("a", 0, 1)).isEmpty();
    }
  }

  @Test
  void emptyDirectoriesGoWithTheirLastObject() {
    try (var store = new LocalObjectStore(root)) {
      store.put("branches/x/packs/1", bytes("1"));
      store.delete("branches/x/packs/1");
      assertThat(root.resolve("branches")).doesNotExist();

      store.put("branches/x/packs/1", bytes("1"));
      assertThat(store.get("branches/x/packs/1")).isPresent();
    }
  }

  @Test
  void directoryThatCannotBeMadeIsUnavailable() throws Exception {
    Path file = Files.write(root.resolve("file"), bytes("x"));

    assertThatThrownBy(() -> new LocalObjectStore(file.resolve("store")))
        .isInstanceOf(EbbException.Unavailable.class)
        .hasMessageContaining("cannot open the object store");
  }
}
