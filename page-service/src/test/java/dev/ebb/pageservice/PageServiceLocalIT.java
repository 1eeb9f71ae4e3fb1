package dev.ebb.pageservice;

import dev.ebb.shared.store.LocalObjectStore;
import dev.ebb.shared.store.ObjectStore;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;

final class PageServiceLocalIT extends PageServiceContract {
  @Override
  ObjectStore openStore() {
    try {
      return new LocalObjectStore(Files.createTempDirectory("ebb-page-it"));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
