package dev.ebb.launcher.up;

import dev.ebb.launcher.config.EbbConfig;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.Secret;
import dev.ebb.shared.store.LocalObjectStore;
import dev.ebb.shared.store.ObjectStore;
import dev.ebb.shared.store.S3Config;
import dev.ebb.shared.store.S3ObjectStore;
import java.io.IOException;
import java.nio.file.Files;
import java.util.Objects;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Opens the object store that is configured. */
final class ObjectStores {
  private static final Logger log = LoggerFactory.getLogger(ObjectStores.class);

  private ObjectStores() {}

  static ObjectStore open(EbbConfig config) throws StartException {
    try {
      ObjectStore store =
          switch (config.store()) {
            case EbbConfig.Store.Local local -> {
              Files.createDirectories(local.dir());
              yield new LocalObjectStore(local.dir());
            }
            case EbbConfig.Store.S3 s3 -> openS3(s3);
          };
      if (config.storeDelay().isZero()) {
        return store;
      }
      log.warn("store.delay adds {} ms to every request", config.storeDelay().toMillis());
      return new DelayedStore(store, config.storeDelay());
    } catch (EbbException | IllegalArgumentException | IOException e) {
      throw new StartException("the object store cannot be used: " + e.getMessage(), e);
    }
  }

  private static ObjectStore openS3(EbbConfig.Store.S3 s3) {
    var store =
        new S3ObjectStore(
            new S3Config(
                s3.endpoint(),
                s3.bucket(),
                s3.prefix(),
                s3.region(),
                new S3Config.Credentials(
                    s3.accessKey(),
                    s3.secretKey(),
                    Objects.requireNonNullElse(s3.sessionToken(), new Secret(""))),
                new S3Config.Limits(
                    (int) s3.connectTimeout().toMillis(),
                    (int) s3.ioTimeout().toMillis(),
                    (int) s3.requestTimeout().toMillis(),
                    s3.attempts(),
                    (int) s3.partSizeBytes())));
    try {
      store.check();
    } catch (RuntimeException e) {
      store.close();
      throw e;
    }
    return store;
  }
}
