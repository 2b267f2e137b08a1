// The JVM's jar, with the library for the machine that builds it. Never run here; see ../settings.gradle.kts.
//
// Before: `cargo build --profile library -p mailkeep-ffi` and the binding generator, as ../../package does.
plugins {
    kotlin("jvm") version "2.4.20"
    `java-library`
    `maven-publish`
}

group = "mailkeep"
version = "0.1.0"

kotlin { jvmToolchain(17) }

sourceSets.main {
    kotlin.srcDirs("../../src/main/kotlin", "../../build/generated")
    resources.srcDir(layout.buildDirectory.dir("natives"))
}

dependencies {
    api("org.jetbrains.kotlinx:kotlinx-coroutines-core:1.10.2")
    implementation("net.java.dev.jna:jna:5.17.0")
}

// JNA looks for libraries in a jar under its name for the platform.
val natives by tasks.registering(Copy::class) {
    from("../../../../target/library") { include("libmailkeep_ffi.so", "libmailkeep_ffi.dylib", "mailkeep_ffi.dll") }
    into(layout.buildDirectory.dir("natives/${com.sun.jna.Platform.RESOURCE_PREFIX}"))
}

tasks.processResources { dependsOn(natives) }

buildscript {
    repositories { mavenCentral() }
    dependencies { classpath("net.java.dev.jna:jna:5.17.0") }
}

publishing.publications.create<MavenPublication>("mailkeep") { from(components["java"]) }
