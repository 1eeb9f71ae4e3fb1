package dev.ebb.launcher.up;

import dev.ebb.launcher.config.EbbConfig;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.store.LocalObjectStore;
import dev.ebb.shared.store.ObjectStore;
import dev.ebb.shared.store.S3Config;
import dev.ebb.shared.store.S3ObjectStore;
import java.io.IOException;
import java.nio.file.Files;

/** Opens the object store that is configured. */
final class ObjectStores {
  private ObjectStores() {}

  static ObjectStore open(EbbConfig.Store store) throws StartException {
    try {
      return switch (store) {
        case EbbConfig.Store.Local local -> {
          Files.createDirectories(local.dir());
          yield new LocalObjectStore(local.dir());
        }
        case EbbConfig.Store.S3 s3 -> openS3(s3);
      };
    } catch (EbbException | IllegalArgumentException | IOException e) {
      throw new StartException("the object store cannot be used: " + e.getMessage(), e);
    }
  }

  private static ObjectStore openS3(EbbConfig.Store.S3 s3) {
    var store =
        new S3ObjectStore(
            S3Config.of(
                s3.endpoint(),
                s3.bucket(),
                s3.prefix(),
                s3.region(),
                s3.accessKey().reveal(),
                s3.secretKey()));
    try {
      store.check();
    } catch (RuntimeException e) {
      store.close();
      throw e;
    }
    return store;
  }
}
