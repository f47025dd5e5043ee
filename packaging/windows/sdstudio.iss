; Inno Setup 6: an installer for this user alone, without administrator's rights, from PyInstaller's dist\sdstudio.
; Pictures and settings lie in the user's data folder and stay when the program is removed.
; Build with: iscc /DAppVersion=0.1.0 packaging\windows\sdstudio.iss
#ifndef AppVersion
  #error Give the version: /DAppVersion=x.y.z
#endif

[Setup]
AppId={{7C1E0B5B-3B4E-4E55-9C0C-5D6A1B0E2F61}
AppName=SD Studio
AppVersion={#AppVersion}
DefaultDirName={autopf}\SD Studio
DefaultGroupName=SD Studio
DisableProgramGroupPage=yes
PrivilegesRequired=lowest
PrivilegesRequiredOverridesAllowed=dialog
ArchitecturesAllowed=x64compatible
ArchitecturesInstallIn64BitMode=x64compatible
LicenseFile=..\..\LICENSE
OutputDir=..\..\dist
OutputBaseFilename=sdstudio-setup
Compression=lzma2
SolidCompression=yes
WizardStyle=modern
UninstallDisplayIcon={app}\SD Studio.exe

[Files]
Source: "..\..\dist\sdstudio\*"; DestDir: "{app}"; Flags: recursesubdirs ignoreversion

[Icons]
Name: "{autoprograms}\SD Studio"; Filename: "{app}\SD Studio.exe"
Name: "{autodesktop}\SD Studio"; Filename: "{app}\SD Studio.exe"; Tasks: desktopicon

[Tasks]
Name: desktopicon; Description: "{cm:CreateDesktopIcon}"; Flags: unchecked

[Run]
Filename: "{app}\SD Studio.exe"; Description: "{cm:LaunchProgram,SD Studio}"; Flags: postinstall nowait skipifsilent
