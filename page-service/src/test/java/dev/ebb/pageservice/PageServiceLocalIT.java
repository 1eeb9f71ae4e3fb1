package dev.ebb.pageservice;

import dev.ebb.shared.store.LocalObjectStore;
import dev.ebb.shared.store.ObjectStore;
import java.nio.file.Path;
import java.util.UUID;
import org.junit.jupiter.api.io.TempDir;

final class PageServiceLocalIT extends PageServiceContract {
  @TempDir static Path root;

  @Override
  ObjectStore openStore() {
    return new LocalObjectStore(root.resolve(UUID.randomUUID().toString()));
  }
}
