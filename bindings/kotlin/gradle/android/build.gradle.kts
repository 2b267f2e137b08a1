// Android's AAR. Never run here: it wants Gradle, the SDK, the NDK and cargo-ndk. See ../settings.gradle.kts.
//
// Before: the binding generator, as ../../package does, over a library of the machine that builds (its symbols are read).
plugins {
    id("com.android.library") version "8.13.0"
    kotlin("android") version "2.4.20"
}

android {
    namespace = "mailkeep"
    compileSdk = 36
    defaultConfig { minSdk = 24 }
    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_17
        targetCompatibility = JavaVersion.VERSION_17
    }
    sourceSets["main"].apply {
        kotlin.srcDirs("../../src/main/kotlin", "../../build/generated")
        jniLibs.srcDir(layout.buildDirectory.dir("jniLibs"))
    }
}

kotlin { jvmToolchain(17) }

dependencies {
    api("org.jetbrains.kotlinx:kotlinx-coroutines-android:1.10.2")
    implementation("net.java.dev.jna:jna:5.17.0@aar")
}

// Pages of 16 KB are what newer devices have; the linker is told so.
val cargo by tasks.registering(Exec::class) {
    workingDir = file("../../../..")
    environment("RUSTFLAGS", "-C link-arg=-Wl,-z,max-page-size=16384")
    commandLine(
        "cargo", "ndk", "--platform", "24", "--target", "arm64-v8a", "--target", "armeabi-v7a", "--target", "x86_64",
        "--output-dir", layout.buildDirectory.dir("jniLibs").get().asFile.path,
        "build", "--profile", "library", "--locked", "-p", "mailkeep-ffi",
    )
}

tasks.named("preBuild") { dependsOn(cargo) }
